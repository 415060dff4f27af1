"""What a stream hands to another process: logs, writers, chunk readers, muxers and sessions go on as if nothing was."""

from __future__ import annotations

import json
import os
import random
import socket
import threading
from typing import Any

import pytest
from model.client import Client
from model.flv import AAC_HEADER, AVC_HEADER, Feed, inter, key, sound
from model.ts import read_ts

from fastflv import limits
from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.chunkstate import reader_state, restore_reader
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv._ext.ingest.sink import CollectSink
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.ingest.tagread import TagReader
from fastflv._ext.ingest.tagstate import restore_tags, tags_state
from fastflv._ext.ingest.writerstate import restore_writer, writer_state
from fastflv._ext.log.logstate import log_state, restore_log
from fastflv._ext.log.medialog import MediaLog
from fastflv.containers.variant import Variant
from fastflv.errors import HandoverError
from fastflv.net.parcel import Descriptor, Parcel, read_record, receive_parcel, send_parcel
from fastflv.net.peer import Peer
from fastflv.protocols.rtmp.server import ServerSession
from fastflv.protocols.rtmp.sessionstate import restore_session, session_state
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions
from fastflv.stream.streamstate import past_pages, restore_stream, stream_state, take_past
from fastflv.stream.timeshift import TimeshiftOptions

WRONG = (HandoverError, KeyError, TypeError, ValueError, OverflowError, AttributeError)


def passed(values: Any) -> Any:
    """*values* as another process gets them."""
    here, there = socket.socketpair()
    with here, there:
        sending = threading.Thread(target=send_parcel, args=(here, {"values": values}))
        sending.start()
        found = receive_parcel(there)
        sending.join()
    return found.values["values"]


def shoot(feed: Feed, first: int, count: int) -> None:
    """Sound and pictures, a keyframe every ten; the clock of the encoder jumps on at the thirtieth."""
    for number in range(first, first + count):
        time = 40 * number + (100_000 if number >= 30 else 0)
        body = (
            key(b"\0\0\0\5\x65" + number.to_bytes(4, "big"))
            if number % 10 == 0
            else inter(b"\0\0\0\5\x41" + number.to_bytes(4, "big"))
        )
        feed.writer.now_ms = 40 * number
        feed.video(time, body)
        feed.audio(time + 5, sound(bytes(20)))


def begin(log: MediaLog) -> Feed:
    feed = Feed(StreamWriter(log))
    feed.writer.begin(10)
    feed.video(0, AVC_HEADER)
    feed.audio(0, AAC_HEADER)
    return feed


@pytest.mark.parametrize("at", [0, 1, 9, 10, 11, 29, 30, 31, 50])
def test_a_writer_goes_on_with_the_same_clock_the_same_headers_and_the_same_positions(at: int) -> None:
    whole, first, second = MediaLog(), MediaLog(), MediaLog()
    everything = begin(whole)
    shoot(everything, 0, 60)
    feed = begin(first)
    shoot(feed, 0, at)
    writer = passed(writer_state(feed.writer))
    restore_log(second, passed(log_state(first)), 15)
    assert second.tags() == first.tags() and second.key_headers == first.key_headers
    assert (second.tail, second.head, second.key_pos) == (first.tail, first.head, first.key_pos)
    again = Feed(StreamWriter(second))
    restore_writer(again.writer, writer)
    assert again.writer.header_tags(0) == feed.writer.header_tags(0)
    shoot(again, at, 60 - at)
    begun = max(whole.tail, second.tail)
    assert second.read(begun, second.head) == whole.read(begun, whole.head)
    assert (second.key_pos, second.key_headers) == (whole.key_pos, whole.key_headers)
    assert (again.writer.dts_ms, again.writer.repairs) == (
        everything.writer.dts_ms,
        everything.writer.repairs,
    )
    assert (again.writer.video_tags, again.writer.bytes) == (60, everything.writer.bytes)


def test_a_chunk_reader_goes_on_at_any_byte() -> None:
    rng = random.Random(7)
    wire = b""
    for number in range(12):
        size = rng.choice((1, 127, 128, 129, 400))
        time = 0x1000000 + number if number % 3 == 0 else number
        wire += write_message(rng.choice((8, 9)), time, 1, 4 + number % 3, rng.randbytes(size), 128)
    sink = CollectSink()
    reader = ChunkReader()
    reader.set_sink(1, sink)
    reader.feed(wire)
    for at in range(0, len(wire), 3):
        halves = CollectSink(), CollectSink()
        first, second = ChunkReader(), ChunkReader()
        first.set_sink(1, halves[0])
        first.feed(wire[:at])
        restore_reader(second, passed(reader_state(first)))
        second.set_sink(1, halves[1])
        second.feed(wire[at:])
        assert halves[0].messages + halves[1].messages == sink.messages, f"at byte {at}"
        assert second.received == len(wire) and not second.inside


def test_a_tag_reader_goes_on_at_any_byte() -> None:
    sizes = (100, 0, 1, 3000)
    wire = b"FLV\1\5\0\0\0\x0b\0\0" + bytes(4)
    for number, size in enumerate(sizes):
        wire += (
            bytes([9])
            + size.to_bytes(3, "big")
            + bytes([0, 0, number])
            + bytes(4)
            + bytes([number]) * size
            + bytes(4)
        )
    for at in range(0, len(wire), 3):
        halves = CollectSink(), CollectSink()
        first, second = TagReader(), TagReader()
        first.sink, second.sink = halves
        first.feed(wire[:at])
        restore_tags(second, passed(tags_state(first)))
        assert second.inside == first.inside and second.received == at
        second.feed(wire[at:])
        found = halves[0].messages + halves[1].messages
        assert found == [(9, number, bytes([number]) * size) for number, size in enumerate(sizes)], (
            f"at byte {at}"
        )


VARIANTS = [
    Variant("rtmp", chunk_size=4096, stream_id=1),
    Variant("aac"),
    Variant("ts"),
    Variant(video=False),
    Variant(audio=False, keys_only=True),
]


def made(name: str) -> tuple[Stream, Feed]:
    stream = Stream(StreamName("v", "live", name), StreamOptions(), id=f"vid-{name}", now_ms=0)
    stream.begin("publisher", 0)
    feed = Feed(stream.writer)
    stream.take_data("onMetaData", b"\2\0\nonMetaData\3\0\5width\0@t\0\0\0\0\0\0\0\0\t", 0)
    feed.video(0, AVC_HEADER)
    feed.audio(0, AAC_HEADER)
    shoot(feed, 0, 1)
    assert stream.settle(0)
    return stream, feed


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("at", [5, 20, 33])
def test_a_stream_goes_on_in_each_container(variant: Variant, at: int) -> None:
    whole, unbroken = made("x")
    outlet = whole.open(variant)
    outlet.log.hold()
    shoot(unbroken, 1, 60)
    stream, feed = made("x")
    before = stream.open(variant)
    before.log.hold()
    shoot(feed, 1, at)
    state = passed(stream_state(stream))
    other = Stream(stream.name, stream.options, id=stream.id, now_ms=0)
    restore_stream(other, state)
    assert (other.phase, other.settled, other.metadata, other.tracks) == (
        stream.phase, True, stream.metadata, stream.tracks,
    )  # fmt: skip
    after = other.outlets.find(variant)
    assert after is not None and (after.log.head, after.log.key_pos) == (before.log.head, before.log.key_pos)
    after.log.hold()
    head = after.log.head
    shoot(Feed(other.writer), at + 1, 60 - at)
    if variant.container == "ts":
        # The muxer writes gathered sound when it is handed over, so its entries differ; nothing else may.
        found = read_ts(before.log.read(before.log.tail, head) + after.log.read(head, after.log.head))
        pictures = [pes for pes in found.pes if pes.pid == 0x100]
        same = read_ts(outlet.log.read(outlet.log.tail, outlet.log.head))
        assert (found.restarts, found.jumps, len(pictures)) == (same.restarts, 0, 61)
        assert len({pmt.version for pmt in found.pmts}) == 1
        return
    begun = max(after.log.tail, outlet.log.tail)
    assert after.log.read(begun, after.log.head) == outlet.log.read(begun, outlet.log.head)
    assert after.starts.header_tags() == outlet.starts.header_tags()


def test_a_session_answers_its_peer_as_before() -> None:
    session = ServerSession(noise=bytes)
    client = Client()
    session.receive(client.connect().wire())
    assert session_state(session) is None, "connect waits for its answer"
    session.accept_connect(chunk_size=60_000, in_ack_size=5000)
    client.fmle_publish()
    (wanted,) = [*session.resume(), *session.receive(client.wire())]
    assert session_state(session) is None, "publish waits"
    session.accept_publish(wanted.stream_id, CollectSink())
    assert session.resume() == []
    session.take_output()
    wire = client.send(9, bytes(3000), 4, 1, 40).call("FCUnpublish", 9, None, "room").wire()
    session.receive(wire[:777])
    other = ServerSession(noise=bytes)
    restore_session(other, passed(session_state(session)))
    sink = CollectSink()
    other.reader.set_sink(1, sink)
    events = other.receive(wire[777:])
    assert [type(event).__name__ for event in events] == ["Unpublished"]
    assert sink.messages == [(9, 40, bytes(3000))]
    session.receive(wire[777:])
    assert other.take_output() == session.take_output()


# --- what is wrong ------------------------------------------------------------------------------


def leaves(values: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(values, dict) and values:
        return [found for name, each in values.items() for found in leaves(each, (*path, name))]
    if isinstance(values, list) and values:
        return [found for index, each in enumerate(values) for found in leaves(each, (*path, index))]
    return [path]


def with_change(values: Any, path: tuple[Any, ...], change: Any) -> Any:
    if not path:
        return change(values) if callable(change) else change
    copied = dict(values) if isinstance(values, dict) else list(values)
    copied[path[0]] = with_change(copied[path[0]], path[1:], change)
    return copied


CHANGES = (
    None, -1, 1 << 40, 1 << 70, -(1 << 63), "x", b"", b"\0" * 3, [], {}, True, 1.5,
    lambda value: value[:-1] if isinstance(value, bytes | str | memoryview) else value,
    lambda value: value + value if isinstance(value, bytes | str | list) else value,
)  # fmt: skip


def test_whatever_stands_in_the_state_of_a_stream_it_is_refused_or_goes_on() -> None:
    stream, feed = made("x")
    for variant in VARIANTS:
        stream.open(variant)
    shoot(feed, 1, 25)
    state = stream_state(stream)
    refused = 0
    for path in leaves(state):
        for change in CHANGES:
            other = Stream(stream.name, stream.options, id="vid-other", now_ms=0)
            try:
                restore_stream(other, with_change(state, path, change))
            except WRONG:
                refused += 1
                continue
            try:
                shoot(Feed(other.writer), 26, 12)
            except (MemoryError, ValueError, OverflowError):
                continue
            other.end()
    assert refused > 100


def test_whatever_stands_in_the_state_of_a_session_it_is_refused_or_goes_on() -> None:
    session = ServerSession(noise=bytes)
    client = Client()
    session.receive(client.connect().wire())
    session.accept_connect()
    (wanted,) = [*session.resume(), *session.receive(client.fmle_publish().wire())]
    session.accept_publish(wanted.stream_id, CollectSink())
    session.resume()
    wire = client.send(9, bytes(3000), 4, 1, 40).send(8, bytes(30), 5, 1, 41).wire()
    session.receive(wire[:555])
    state = session_state(session)
    for path in leaves(state):
        for change in CHANGES:
            other = ServerSession(noise=bytes)
            try:
                restore_session(other, with_change(state, path, change))
            except WRONG:
                continue
            other.reader.set_sink(1, CollectSink())
            try:
                other.receive(wire[555:])
            except Exception as error:
                assert type(error).__module__ == "fastflv.errors", error


# --- parcels ------------------------------------------------------------------------------------


def test_a_parcel_carries_bytes_and_more_descriptors_than_one_message_of_the_kernel_holds() -> None:
    here, there = socket.socketpair()
    pipes = [os.pipe() for _ in range(150)]
    try:
        with here, there:
            values = {
                "blob": b"\0\xff" * 100_000,
                "fds": [Descriptor(fd) for pair in pipes for fd in pair],
                "n": [1.5, None],
            }
            sending = threading.Thread(target=send_parcel, args=(here, values))
            sending.start()
            parcel = receive_parcel(there)
            sending.join()
            assert parcel.values["blob"] == values["blob"] and parcel.values["n"] == [1.5, None]
            taken = [parcel.take(each) for each in parcel.values["fds"]]
            assert len(set(taken)) == 300
            for read, write in zip(taken[::2], taken[1::2], strict=True):
                os.write(write, b"x")
                assert os.read(read, 1) == b"x"
                assert not os.get_inheritable(read)
                os.close(read)
                os.close(write)
            with pytest.raises(HandoverError):
                parcel.take(parcel.values["fds"][0])
    finally:
        for pair in pipes:
            os.close(pair[0])
            os.close(pair[1])


def test_descriptors_that_nobody_takes_are_closed() -> None:
    read, write = os.pipe()
    copy = os.dup(write)
    os.close(write)
    parcel = Parcel({}, [copy])
    parcel.close()
    assert os.read(read, 1) == b"", "the last writer is closed"
    os.close(read)


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"\0" * 12, b"\0\0\0\0" + (1 << 60).to_bytes(8, "big"), b"\0\0\0\2" + bytes(7) + b"\2"],
)
def test_what_is_no_parcel_is_refused(data: bytes) -> None:
    here, there = socket.socketpair()
    with here, there:
        there.settimeout(10)
        here.sendall(data)
        here.close()
        with pytest.raises((HandoverError, EOFError)):
            receive_parcel(there)


@pytest.mark.parametrize(
    "text", ["[]", '{"a": {"$bytes": [0, 5]}}', '{"a": {"$fd": 0}}', '{"a": {"$bytes": 1}}', "{", "1"]
)
def test_a_parcel_whose_text_is_wrong_is_refused(text: str) -> None:
    here, there = socket.socketpair()
    memory = os.memfd_create("test")
    os.write(memory, text.encode())
    with here, there:
        there.settimeout(10)
        socket.send_fds(here, [(0).to_bytes(4, "big") + len(text).to_bytes(8, "big")], [memory])
        with pytest.raises(HandoverError):
            receive_parcel(there)
    os.close(memory)


def test_a_record_takes_its_fields_by_their_types() -> None:
    values = {
        "ip": "1.2.3.4",
        "socket_ip": "",
        "port": 1,
        "local_port": 2,
        "secure": False,
        "id": "x",
        "own": False,
        "relayed": False,
        "more": 1,
    }
    assert read_record(Peer, values) == Peer("1.2.3.4", "", 1, 2, False, "x")
    for name, value in (("ip", 1), ("port", "1"), ("port", True), ("secure", 1), ("id", None)):
        with pytest.raises(HandoverError):
            read_record(Peer, values | {name: value})
    with pytest.raises(HandoverError):
        read_record(Peer, json.loads("[]"))


def test_the_numbers_of_upgrades_fit_each_other() -> None:
    assert limits.UPGRADE_TAKE_SECONDS < limits.UPGRADE_START_SECONDS
    assert limits.PARCEL_DESCRIPTORS <= 253


# --- the past -----------------------------------------------------------------------------------


def with_past(name: str, window_ms: int = 600_000) -> tuple[Stream, Feed]:
    options = StreamOptions(timeshift=TimeshiftOptions(window_ms=window_ms))
    stream = Stream(StreamName("v", "live", name), options, id=f"vid-{name}", now_ms=0)
    stream.begin("publisher", 0)
    feed = Feed(stream.writer)
    feed.video(0, AVC_HEADER)
    feed.audio(0, AAC_HEADER)
    return stream, feed


def record(feed: Feed, first: int, count: int) -> None:
    for number in range(first, first + count):
        feed.writer.now_ms = 40 * number
        body = number.to_bytes(4, "big") * 3000
        feed.video(40 * number, key(body) if number % 25 == 0 else inter(body))


def everything(stream: Stream) -> list[tuple[int, int, int, bytes]]:
    """All tags from the oldest place on."""
    excerpt = stream.timeshift.part(stream.timeshift.tail, stream.log.head, stream.timeshift.tail)
    return excerpt.take(1 << 40)


def test_the_past_of_a_stream_follows_it_page_by_page_while_it_goes_on() -> None:
    whole, unbroken = with_past("x")
    record(unbroken, 0, 500)
    stream, feed = with_past("x")
    record(feed, 0, 300)
    tail = stream.log.tail
    assert 0 < stream.timeshift.tail < tail
    other = Stream(stream.name, stream.options, id=stream.id, now_ms=0)
    restore_stream(other, passed(stream_state(stream)))
    assert other.timeshift.tail >= tail, "what is kept joins up with the present"
    again = Feed(other.writer)
    position, turn = tail, 0
    while pages := past_pages(stream, position, 400_000):
        assert take_past(other, passed(pages))
        position = pages[-1]["start"]
        # Both go on meanwhile.
        record(again, 300 + 10 * turn, 10)
        turn += 1
    assert turn > 5
    record(again, 300 + 10 * turn, 200 - 10 * turn)
    assert everything(other) == everything(whole) and len(everything(other)) == 500
    found = other.timeshift.steps(-1, 1000)
    same = whole.timeshift.steps(-1, 1000)
    assert [each._replace(wall_ms=0) for each in found] == [each._replace(wall_ms=0) for each in same]
    assert not take_past(other, passed(past_pages(stream, tail, 400_000))), "they are there already"


def test_of_a_past_only_what_the_bounds_keep_is_taken() -> None:
    stream, feed = with_past("x")
    record(feed, 0, 500)
    options = StreamOptions(timeshift=TimeshiftOptions(window_ms=8000))
    other = Stream(stream.name, options, id=stream.id, now_ms=0)
    restore_stream(other, passed(stream_state(stream)))
    position, taken = stream.log.tail, 0
    while take_past(other, passed(pages := past_pages(stream, position, 100_000))):
        position = pages[-1]["start"]
        taken += 1
    assert 0 < taken < 50
    oldest = other.timeshift.steps(-1, 1)[0]
    assert 8000 <= other.log.head_dts - oldest.dts_ms < 10_000
    none = Stream(stream.name, StreamOptions(), id=stream.id, now_ms=0)
    restore_stream(none, passed(stream_state(stream)))
    assert not take_past(none, passed(past_pages(stream, stream.log.tail, 100_000)))


def test_whatever_stands_in_a_past_it_is_refused_or_kept() -> None:
    stream, feed = with_past("x")
    record(feed, 0, 120)
    state = stream_state(stream)
    page = past_pages(stream, stream.log.tail, 1)
    refused = 0
    for values, paths in ((state, leaves(state["past"], ("past",))[:40]), (page, leaves(page))):
        for path in paths:
            for change in CHANGES:
                other = Stream(stream.name, stream.options, id="vid-other", now_ms=0)
                try:
                    if values is state:
                        restore_stream(other, with_change(state, path, change))
                    else:
                        restore_stream(other, state)
                        take_past(other, with_change(page, path, change))
                except WRONG:
                    refused += 1
                    continue
                other.timeshift.steps(-1, 1000)
                record(Feed(other.writer), 120, 30)
    assert refused > 50
