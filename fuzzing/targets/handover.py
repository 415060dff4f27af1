"""What another process hands over of a stream, its past and its publisher's connection: whatever stands there, it is refused or gone on with.

An input says which values are changed, and to what.
"""

from __future__ import annotations

import copy
from contextlib import suppress
from itertools import pairwise
from typing import Any

from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.chunkstate import reader_state, restore_reader
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv._ext.ingest.sink import CollectSink
from fastflv._ext.ingest.tagread import TagReader
from fastflv._ext.ingest.tagstate import restore_tags, tags_state
from fastflv._ext.mux.replay import Replay
from fastflv.containers.variant import Variant
from fastflv.errors import HandoverError, PeerError, UsageError
from fastflv.net.parcel import MALFORMED
from fastflv.stream.moment import ClipWish, Moment
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions
from fastflv.stream.streamstate import past_pages, restore_stream, stream_state, take_past
from fastflv.stream.timeshift import TimeshiftOptions
from fuzzing.choices import Choices

PAST = TimeshiftOptions(window_ms=600_000)
COMPILED = True
SHORT = 100
FLV = b"FLV\1\5\0\0\0\x09\0\0\0\0" + 3 * (b"\x09\0\0\x64\0\0\0\0\0\0\0" + bytes(100) + b"\0\0\0\x6f")
AVC_HEADER = b"\x17\0\0\0\0\x01\x64\0\x1f\xff\xe1\0\0\x01\0\0"
AAC_HEADER = b"\xaf\0\x12\x10"
VARIANTS = (
    Variant("ts"),
    Variant("aac"),
    Variant("rtmp", chunk_size=4096, stream_id=1),
    Variant(video=False),
    Variant(audio=False, keys_only=True),
)
SEEDS = (b"", bytes(8), b"\0\1\3\0\0\0\0\0\0\0\1", bytes(range(64)))
WORDS = (b"\x7f" + b"\xff" * 7, b"\x80" + bytes(7), b"\xff" * 8, bytes(7) + b"\1")


def shoot(stream: Stream, first: int, count: int, size: int = 4) -> None:
    """Publish pictures of *size* bytes with sound, a keyframe every ten."""
    reader = ChunkReader()
    reader.set_sink(1, stream.writer)
    for number in range(first, first + count):
        stream.writer.now_ms = 40 * number
        nal = (b"\x65" if number % 10 == 0 else b"\x41") + number.to_bytes(4, "big") + bytes(size)
        picture = b"\x17" if number % 10 == 0 else b"\x27"
        picture += b"\1\0\0\0" + len(nal).to_bytes(4, "big") + nal
        for kind, body in ((9, picture), (8, b"\xaf\1" + bytes(20))):
            reader.feed(write_message(kind, 40 * number, 1, 4, body, 128))
    stream.writer.flush()


def plain(values: Any) -> Any:
    """Return *values* with bytes in the place of views, which cannot be copied."""
    if isinstance(values, dict):
        return {name: plain(each) for name, each in values.items()}
    if isinstance(values, list):
        return [plain(each) for each in values]
    return bytes(values) if isinstance(values, memoryview) else values


def make() -> dict[str, Any]:
    """The state of a stream in all containers, pages of its past, and the state of a reader within a chunk."""
    stream = Stream(StreamName("v", "live", "x"), StreamOptions(timeshift=PAST), id="vid-x", now_ms=0)
    stream.begin("publisher", 0)
    reader = ChunkReader()
    reader.set_sink(1, stream.writer)
    for kind, body in ((9, AVC_HEADER), (8, AAC_HEADER)):
        reader.feed(write_message(kind, 0, 1, 4, body, 128))
    # Pages that keep a past are large.
    shoot(stream, 0, 50, 6000)
    shoot(stream, 50, 1)
    stream.settle(0)
    for variant in VARIANTS:
        stream.open(variant)
    shoot(stream, 51, 14)
    reader.feed(write_message(9, 0x1000000, 1, 4, bytes(400), 128)[:300])
    tags = TagReader()
    tags.feed(FLV[:60])
    state: dict[str, Any] = plain(
        {
            "stream": stream_state(stream),
            "pages": past_pages(stream, stream.log.tail, 1 << 30),
            "reader": reader_state(reader),
            "tags": tags_state(tags),
        }
    )
    return state


STATE = make()


def leaves(values: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in *values*, those of containers too."""
    rows = (
        values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    )
    return [path, *(found for name, each in rows for found in leaves(each, (*path, name)))]


PATHS = leaves(STATE)[1:]
CHANGES_MAX = 4
"Of one input: a state with more is refused at the first of them."
PARTS = [
    PATHS,
    *([path for path in PATHS if path[: len(part)] == part] for part in (("stream", "past"), ("pages",))),
]
"The past and its pages are few values beside the rest."


def change(choices: Choices, old: Any) -> Any:
    """Return another value in the place of *old*, mostly of the same type."""
    way = choices.number() % 8
    if way < 5 and isinstance(old, bytes):
        at, size = choices.number(2) % (len(old) + 1), choices.number() % 16
        # Of the same length, so that only what it says is wrong, or of another.
        return old[:at] + choices.take(size) + old[at + (size if way < 3 else choices.number() % 16) :]
    if way < 5 and isinstance(old, list) and len(old) < 100:
        at = choices.number() % (len(old) + 1)
        return (old * (choices.number() % 4), old[at:], old[:at], old[::-1], old[at:] + old[:at])[way]
    match way:
        case 0:
            return choices.number(8) - (1 << 63)
        case 1 | 2:
            return choices.number()
        case 3 | 4 if isinstance(old, int):
            return old + choices.number() - 128
        case 5:
            return choices.take(choices.number())
        case 6:
            return not old
        case _:
            return None


def visit(stream: Stream) -> None:
    """Ask of the past what players, clips and playlists do."""
    past = stream.timeshift
    steps = past.steps(-1, 1000)
    assert [step.position for step in steps] == sorted({step.position for step in steps})
    for start in (Moment("-1", ago_ms=1000), Moment("then", wall_ms=1_700_000_000_000)):
        wish = ClipWish(start, Moment("-0"))
        past.refusal("x", wish)
        # The times there may be in no order.
        with suppress(UsageError):
            past.excerpt(wish).take(1 << 30)
    if past.tail >= 0:
        past.part(past.tail, stream.log.head, past.tail).take(1 << 30)
        replay = Replay(stream.log, stream.new_log(), past.tail, 2.0)
        replay.advance(stream.log.head_dts)
        replay.stop()
        assert replay.log.ended or replay.log.head > 0
    pages = past_pages(stream, stream.log.head, 1 << 30)
    for newer, older in pairwise(pages):
        assert older["start"] + len(older["bytes"]) == newer["start"]


def go_on(choices: Choices, state: dict[str, Any]) -> None:
    """Have a stream go on, then get its past, as a new process does."""
    options = TimeshiftOptions(
        choices.one((600_000, 600_000, 1000)), choices.one((1 << 30, 1 << 30, 100_000))
    )
    stream = Stream(StreamName("v", "live", "x"), StreamOptions(timeshift=options), id="vid-y", now_ms=0)
    restore_stream(stream, state["stream"])
    pages = state["pages"]
    first, rest = (pages[:1], pages[1:]) if isinstance(pages, list) else (pages, [])
    for part in (first, rest):
        # The stream goes on without.
        with suppress(HandoverError):
            take_past(stream, part)
        visit(stream)
        shoot(stream, 65 if part is first else 71, 6)
        visit(stream)
    stream.open(Variant("ts"))
    shoot(stream, 77, 3)
    visit(stream)
    # What was counted is what is freed.
    stream.timeshift.adopt(TimeshiftOptions(1, 0))
    assert stream.timeshift.kept_bytes == 0
    stream.end()


def check(data: bytes) -> None:
    choices = Choices(data)
    bounds = Choices(choices.take(2))
    paths = choices.one(PARTS)
    state = copy.deepcopy(STATE)
    for _ in range(1 + choices.number() % CHANGES_MAX if choices.left else 0):
        path = paths[choices.number(2) % len(paths)]
        place: Any = state
        try:
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = change(choices, place[path[-1]])
        except (KeyError, IndexError, TypeError):
            # A change before has taken its place away.
            continue
    # A size that was handed over may be more than there is.
    with suppress(HandoverError, MemoryError):
        go_on(bounds, state)
    reader = ChunkReader()
    try:
        restore_reader(reader, state["reader"])
        reader.set_sink(1, CollectSink())
        reader.feed(bytes(200) + write_message(9, 0, 1, 5, bytes(300), 128))
    except (HandoverError, PeerError, *MALFORMED):
        pass
    tags = TagReader()
    try:
        restore_tags(tags, state["tags"])
        tags.sink = CollectSink()
        tags.feed(FLV[60:])
    except (HandoverError, PeerError, *MALFORMED):
        pass
