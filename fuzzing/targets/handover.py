"""What another process hands over of a stream and of its publisher's connection: whatever stands there, it is refused or gone on with.

An input says which values are changed, and to what.
"""

from __future__ import annotations

import copy
from typing import Any

from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.chunkstate import reader_state, restore_reader
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv._ext.ingest.sink import CollectSink
from fastflv._ext.ingest.tagread import TagReader
from fastflv._ext.ingest.tagstate import restore_tags, tags_state
from fastflv.containers.variant import Variant
from fastflv.errors import HandoverError, PeerError
from fastflv.net.parcel import MALFORMED
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions
from fastflv.stream.streamstate import restore_stream, stream_state
from fuzzing.choices import Choices

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


def shoot(stream: Stream, first: int, count: int) -> None:
    """Publish pictures with sound, a keyframe every ten."""
    reader = ChunkReader()
    reader.set_sink(1, stream.writer)
    for number in range(first, first + count):
        stream.writer.now_ms = 40 * number
        nal = b"\0\0\0\5\x65abcd" if number % 10 == 0 else b"\0\0\0\5\x41abcd"
        picture = (b"\x17" if number % 10 == 0 else b"\x27") + b"\1\0\0\0" + nal
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
    """The state of a stream in all containers, and of a reader within a chunk."""
    stream = Stream(StreamName("v", "live", "x"), StreamOptions(), id="vid-x", now_ms=0)
    stream.begin("publisher", 0)
    reader = ChunkReader()
    reader.set_sink(1, stream.writer)
    for kind, body in ((9, AVC_HEADER), (8, AAC_HEADER)):
        reader.feed(write_message(kind, 0, 1, 4, body, 128))
    shoot(stream, 0, 1)
    stream.settle(0)
    for variant in VARIANTS:
        stream.open(variant)
    shoot(stream, 1, 14)
    reader.feed(write_message(9, 0x1000000, 1, 4, bytes(400), 128)[:300])
    tags = TagReader()
    tags.feed(FLV[:60])
    state: dict[str, Any] = plain(
        {"stream": stream_state(stream), "reader": reader_state(reader), "tags": tags_state(tags)}
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


def change(choices: Choices, old: Any) -> Any:
    match choices.number() % 8:
        case 0:
            return choices.number(8) - (1 << 63)
        case 1:
            return choices.number()
        case 2 if isinstance(old, bytes):
            at = choices.number(2) % (len(old) + 1)
            return old[:at] + choices.take(choices.number() % 16) + old[at + choices.number() % 16 :]
        case 3 if isinstance(old, list) and len(old) < 100:
            return old * (choices.number() % 4)
        case 4 if isinstance(old, int):
            return old + choices.number() - 128
        case 5:
            return choices.take(choices.number())
        case 6:
            return not old
        case _:
            return None


def check(data: bytes) -> None:
    choices = Choices(data)
    state = copy.deepcopy(STATE)
    while choices.left:
        path = PATHS[choices.number(2) % len(PATHS)]
        place: Any = state
        try:
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = change(choices, place[path[-1]])
        except (KeyError, IndexError, TypeError):
            # A change before has taken its place away.
            continue
    try:
        stream = Stream(StreamName("v", "live", "x"), StreamOptions(), id="vid-y", now_ms=0)
        restore_stream(stream, state["stream"])
        shoot(stream, 15, 12)
        stream.open(Variant("ts"))
        stream.end()
    except (HandoverError, MemoryError):
        # A size that was handed over may be more than there is.
        pass
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
