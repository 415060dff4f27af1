"""The chunk reader against the slow model: every legal wire, every cut, and bytes that are not legal."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from model.chunks import Decoder, Encoder, Fault, Message

from fastflv import limits
from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.sink import CollectSink
from fastflv.errors import ChunkError, ChunkStreamsError, MessageSizeError, PeerError

CSIDS = st.sampled_from([3, 4, 5, 63, 64, 319, 320, 321, 65599])
KINDS = st.sampled_from([8, 9, 22, 18, 20, 4, 3, 99])
SIZES = st.sampled_from([0, 1, 2, 3, 4, 5, 127, 128, 129, 300])
TIMES = st.sampled_from([0, 40, 1000, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
STEPS = st.sampled_from([0, 1, 40, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0xFFFFFFFF])


STREAM_IDS = [0, 1, 0x01020304]


class Reading:
    """Feeds a reader and keeps what it shows, in order."""

    def __init__(self, **bounds) -> None:
        self.reader = ChunkReader(**bounds)
        self.sink = CollectSink()
        for stream_id in STREAM_IDS:
            self.reader.set_sink(stream_id, self.sink)
        self.shown: list[tuple] = []
        self.taken = 0

    def feed(self, block) -> None:
        at = 0
        while True:
            at = self.reader.feed(block, at)
            media = self.sink.messages
            self.shown += media[self.taken :]
            self.taken = len(media)
            if self.reader.message is None:
                assert at == len(block)
                return
            self.shown.append(self.reader.message)


def cut(wire: bytes, places) -> list[bytes]:
    return [wire[a:b] for a, b in pairwise([0, *sorted(places), len(wire)])]


def shown_of(messages) -> list[tuple]:
    return [
        message.shown()
        for message in messages
        if message.is_read and (message.kind not in (8, 9, 22) or message.stream_id in STREAM_IDS)
    ]


def read(pieces, **bounds) -> list[tuple]:
    reading = Reading(**bounds)
    for piece in pieces:
        reading.feed(piece)
    assert reading.reader.received == sum(map(len, pieces))
    return reading.shown


@st.composite
def wires(draw):
    """A legal wire and its messages: all header forms, interleaved, with both dialects of extended time."""
    encoder = Encoder()
    done: list[Message] = []
    begun: dict[int, Message] = {}
    repeat = draw(st.booleans())
    csids = st.sampled_from(draw(st.lists(CSIDS, min_size=1, max_size=3)))

    def advance(csid: int) -> None:
        if csid not in encoder.left:
            done.append(begun.pop(csid))

    for _ in range(draw(st.integers(1, 14))):
        act = draw(st.integers(0, 9))
        if act == 0:
            encoder.set_chunk_size(draw(st.sampled_from([1, 2, 5, 128, 200, 65536])))
        elif act == 1 and begun:
            csid = draw(st.sampled_from(sorted(begun)))
            encoder.abort(csid)
            del begun[csid]
        elif act < 5 and begun:
            csid = draw(st.sampled_from(sorted(begun)))
            encoder.go_on(csid, repeat)
            advance(csid)
        else:
            csid = draw(csids)
            if csid in begun:
                continue
            known = encoder.streams.get(csid)
            if known and draw(st.integers(0, 3)):
                kind, size, stream_id = known.kind, known.length, known.stream_id
                step = draw(st.just(known.step) | STEPS)
                time = (known.timestamp + step) % 2**32
            else:
                kind, size, stream_id = draw(KINDS), draw(SIZES), draw(st.sampled_from(STREAM_IDS))
                time = draw(TIMES)
            payload = draw(st.binary(min_size=8, max_size=8)) * (size // 8 + 1)
            message = Message(kind, time, stream_id, csid, payload[:size])
            begun[csid] = message
            forms = encoder.forms(message)
            encoder.begin(message, draw(st.sampled_from([*forms, forms[-1]])), repeat)
            advance(csid)
    for csid in sorted(begun):
        while csid in begun:
            encoder.go_on(csid, repeat)
            advance(csid)
    last = Message(20, 0, 0, 6, b"the end")  # the reader may look four bytes ahead
    encoder.write(last)
    wire = bytes(encoder.wire)
    assume(all(wire[at : at + 4] != value.to_bytes(4, "big") for at, value in encoder.left_out))
    return wire, [*done, last]


@given(wires())
def test_the_model_reads_every_legal_wire(case):
    wire, messages = case
    assert Decoder().decode(wire) == messages


@given(wires(), st.data())
def test_any_cut_of_a_legal_wire_gives_the_same_messages(case, data):
    wire, messages = case
    shown = shown_of(messages)
    assert read([wire]) == shown
    assert read(cut(wire, range(1, len(wire)))) == shown
    places = data.draw(st.lists(st.integers(0, len(wire)), max_size=8))
    assert read([bytearray(part) for part in cut(wire, places)]) == shown


def outcome(pieces, **bounds):
    reading = Reading(**bounds)
    try:
        for piece in pieces:
            reading.feed(piece)
    except PeerError:
        return reading.shown + reading.sink.messages[reading.taken :], True
    return reading.shown, False


def expected(wire, **bounds):
    decoder = Decoder(**bounds)
    try:
        decoder.decode(wire)
    except Fault:
        return shown_of(decoder.messages), True
    return shown_of(decoder.messages), False


@st.composite
def broken_wires(draw):
    """A legal wire with some bytes changed, put in or taken out."""
    wire = bytearray(draw(wires())[0])
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(wire)))
        wire[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(wire)


@given(broken_wires() | st.binary(max_size=400), st.data())
@example(b"\x00" * 40, None)
def test_any_bytes_give_what_the_model_gives(wire, data):
    bounds = {"max_message": 5000, "max_streams": 6}
    places = data.draw(st.lists(st.integers(0, len(wire)), max_size=8)) if data else []
    for pieces in ([wire], cut(wire, places), cut(wire, range(1, len(wire)))):
        assert outcome(pieces, **bounds) == expected(wire, **bounds)


def wire_of(*messages: Message) -> bytes:
    encoder = Encoder()
    for message in messages:
        encoder.write(message)
    return bytes(encoder.wire)


def header(fmt: int, csid: int, time: int = 0, length: int = 0, kind: int = 9, stream_id: int = 1) -> bytes:
    fields = (
        time.to_bytes(3, "big") + length.to_bytes(3, "big") + bytes([kind]) + stream_id.to_bytes(4, "little")
    )
    return bytes([fmt << 6 | csid]) + fields[: {0: 11, 1: 7, 2: 3, 3: 0}[fmt]]


ILLEGAL = {
    "type 2 on a fresh chunk stream": (header(2, 4), ChunkError),
    "type 3 on a fresh chunk stream": (header(3, 4), ChunkError),
    "type 0 in the middle of a message": (
        header(0, 4, 0, 200) + bytes(128) + header(0, 4, 0, 200),
        ChunkError,
    ),
    "a length that changes in a message": (
        header(0, 4, 0, 200) + bytes(128) + header(1, 4, 0, 201),
        ChunkError,
    ),
    "chunk size 0": (header(0, 2, 0, 4, 1, 0) + bytes(4), ChunkError),
    "chunk size 0 with the top bit": (header(0, 2, 0, 4, 1, 0) + b"\x80\0\0\0", ChunkError),
    "a chunk size message of 3 bytes": (header(0, 2, 0, 3, 1, 0) + bytes(3), ChunkError),
    "an empty chunk size message": (header(0, 2, 0, 0, 1, 0), ChunkError),
    "an abort message of 3 bytes": (header(0, 2, 0, 3, 2, 0) + bytes(3), ChunkError),
    "a message over the bound": (header(0, 4, 0, limits.MESSAGE_BYTES_MAX + 1), MessageSizeError),
    "too many chunk streams": (
        b"".join(header(0, csid) for csid in range(2, 64))
        + b"".join(b"\0" + bytes([csid]) + bytes(6) + b"\x09" + bytes(4) for csid in range(3)),
        ChunkStreamsError,
    ),
}


@pytest.mark.parametrize(("wire", "error"), ILLEGAL.values(), ids=ILLEGAL)
@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
def test_what_no_sender_may_write_is_refused(wire, error, bytewise):
    with pytest.raises(error):
        read(cut(wire, range(1, len(wire))) if bytewise else [wire])


def test_librtmp_may_open_a_chunk_stream_with_type_1():
    wire = header(1, 2, 7, 6, 4) + b"\0\6abcd"
    assert read([wire]) == [(4, 7, 0, 2, b"\0\6abcd")]


def test_type_3_after_type_0_steps_by_its_timestamp():
    wire = header(0, 4, 100, 1) + b"a" + header(3, 4) + b"b" + header(3, 4) + b"c"
    assert [time for _kind, time, _body in read([wire])] == [100, 200, 300]


def test_an_extended_step_close_to_the_clock_is_an_absolute_time():
    start, end = 0x1000000, 0x1000000 + 5000
    wire = header(0, 4, 0xFFFFFF, 1) + start.to_bytes(4, "big") + b"a"
    wire += header(1, 4, 0xFFFFFF, 1) + end.to_bytes(4, "big") + b"b"
    assert [time for _kind, time, _body in read([wire])] == [start, end]


def test_the_clock_wraps_at_32_bits():
    wire = header(0, 4, 0xFFFFFF, 1) + b"\xff\xff\xff\xff" + b"a" + header(1, 4, 2, 1) + b"b"
    assert [time for _kind, time, _body in read([wire])] == [0xFFFFFFFF, 1]


def test_a_chunk_size_holds_from_the_next_chunk_on():
    encoder = Encoder()
    message = Message(9, 0, 1, 4, bytes(range(250)))
    encoder.begin(message)
    encoder.set_chunk_size(61)
    while encoder.left:
        encoder.go_on(4)
    assert read([bytes(encoder.wire)]) == [message.shown()]


def test_an_abort_drops_the_message_and_keeps_the_header():
    encoder = Encoder()
    encoder.begin(Message(9, 50, 1, 4, bytes(200)))
    encoder.abort(4)
    wire = bytes(encoder.wire) + header(2, 4, 10) + bytes(128) + header(3, 4) + bytes(72)
    assert read([wire]) == [(9, 60, bytes(200))]


def test_an_abort_of_an_unknown_chunk_stream_is_nothing():
    assert read([wire_of(Message(2, 0, 0, 2, b"\0\0\0\x09"))]) == []


def test_without_a_sink_media_is_counted_and_dropped():
    reader = ChunkReader()
    wire = wire_of(Message(8, 0, 1, 4, b"a"), Message(9, 0, 1, 6, b"b"), Message(22, 0, 1, 6, b"c"))
    assert reader.feed(wire) == len(wire)
    assert reader.dropped == 3


def on(stream_id: int, body: bytes, kind: int = 9) -> Message:
    return Message(kind, 40, stream_id, 6, body)


def test_media_goes_to_the_sink_of_its_message_stream():
    reader, sinks = ChunkReader(), {stream_id: CollectSink() for stream_id in (1, 2, 7)}
    for stream_id, sink in sinks.items():
        reader.set_sink(stream_id, sink)
    wire = wire_of(on(1, b"a"), on(2, b"bb"), on(7, b"c"), on(3, b"?"), on(1, b"d"), on(2, b"e"))
    assert reader.feed(wire) == len(wire)
    bodies = {stream_id: [body for _, _, body in sink.messages] for stream_id, sink in sinks.items()}
    assert bodies == {1: [b"a", b"d"], 2: [b"bb", b"e"], 7: [b"c"]}
    assert reader.dropped == 1


def test_a_sink_taken_away_gets_nothing_more():
    reader, sink = ChunkReader(), CollectSink()
    reader.set_sink(1, sink)
    reader.feed(wire_of(on(1, b"a"), on(1, b"script", 18)))
    reader.set_sink(1, None)
    reader.set_sink(1, None)
    assert reader.feed(wire_of(on(1, b"b"))) and reader.dropped == 1
    reader.set_sink(1, sink)
    reader.feed(wire_of(on(1, b"c")))
    assert [body for _, _, body in sink.messages] == [b"a", b"c"]


def test_media_of_a_stream_that_is_shown_stops_the_feed():
    reader, sink = ChunkReader(), CollectSink()
    reader.show(2)
    first, second = wire_of(on(2, b"early")), wire_of(on(2, b"in time"))
    assert reader.feed(first + second) == len(first)
    assert reader.message == (9, 40, 2, 6, b"early")
    reader.set_sink(2, sink)
    reader.deliver(9, 40, 2, b"early")
    reader.deliver(8, 41, 2, b"")
    reader.deliver(9, 40, 3, b"nobody's")
    reader.feed(second)
    assert sink.messages == [(9, 40, b"early"), (8, 41, b""), (9, 40, b"in time")]
    assert reader.dropped == 1


def test_messages_that_nobody_reads_are_counted_and_stop_no_feed():
    reader = ChunkReader()
    wire = b"".join(header(0, 4, 0, 1, kind) + b"x" for kind in (0, 3, 6, 7, 16, 19, 99, 255))
    wire += b"".join(header(0, 5, 0, 0, kind) + header(3, 5) for kind in (4, 5, 15, 17, 18, 20, 99))
    assert reader.feed(wire) == len(wire)
    assert reader.message is None
    assert reader.ignored == 8 + 14


def test_feed_stops_behind_the_first_message_that_is_not_media():
    first = wire_of(Message(8, 0, 1, 4, b"a"), Message(20, 0, 0, 3, b"b"))
    wire = first + wire_of(Message(20, 0, 0, 5, b"c"))
    reader = ChunkReader()
    assert reader.feed(wire) == len(first)
    assert reader.message == (20, 0, 0, 3, b"b")
    assert reader.feed(wire, len(first)) == len(wire)
    assert reader.message == (20, 0, 0, 5, b"c")
    assert reader.feed(b"") == 0
    assert reader.message is None


def test_a_start_outside_the_block_is_our_own_mistake():
    for start in (-1, 2):
        with pytest.raises(ValueError, match="start"):
            ChunkReader().feed(b"a", start)


def test_unfinished_messages_are_bounded_in_bytes():
    with pytest.raises(MessageSizeError, match="unfinished"):
        wire = b"".join(header(0, csid, 0, 1_000_000) + bytes(128) for csid in range(3, 63))
        read([wire], max_partial=4096)


def test_without_a_publish_unfinished_messages_are_those_of_commands():
    def wire(first: int):
        return b"".join(header(0, csid, 0, 1_000_000) + bytes(128) for csid in range(first, first + 20))

    reader = ChunkReader(max_commands=140_000)
    reader.feed(wire(3))
    with pytest.raises(MessageSizeError, match="over 140000 bytes of unfinished"):
        reader.feed(wire(23))
    publishing = ChunkReader(max_commands=140_000)
    publishing.show(1)
    publishing.feed(wire(3))
    publishing.feed(wire(23))


def test_the_bound_of_unfinished_messages_is_given_back():
    encoder = Encoder()
    for number in range(50):
        encoder.write(Message(9, number, 1, 4 + number % 2, bytes(100_000)))
    assert len(read([bytes(encoder.wire)], max_partial=300_000)) == 50


def test_announced_bytes_are_not_allocated():
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    readers = []
    for _ in range(200):
        reader = ChunkReader()
        reader.show(0)
        reader.feed(
            b"".join(header(0, csid, 0, limits.MESSAGE_BYTES_MAX) + bytes(128) for csid in range(3, 40))
        )
        readers.append(reader)
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
    )  # KiB; 7,400 messages of 8 MiB


def test_a_reader_is_inside_until_the_last_byte_of_the_last_message_that_is_open():
    encoder = Encoder()
    encoder.begin(Message(9, 0, 1, 6, bytes(300)), 0, False)
    encoder.write(Message(8, 0, 1, 4, bytes(20)))
    while 6 in encoder.left:
        encoder.go_on(6, False)
    wire = bytes(encoder.wire)
    reader = ChunkReader()
    reader.set_sink(1, CollectSink())
    told = []
    for byte in wire:
        reader.feed(bytes([byte]))
        told.append(reader.inside)
    assert told == [True] * (len(wire) - 1) + [False]
