"""RTMP chunks: in whatever pieces, the same messages or the same refusal, and never more than was received.

An input says which chunks follow each other, and which bytes of them are changed then.
"""

from __future__ import annotations

from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.sink import CollectSink
from fastflv.errors import PeerError
from fuzzing.choices import Choices

MESSAGE_BYTES_MAX = 4096
KINDS = (8, 9, 22, 18, 20, 1, 2, 3, 4, 5, 6, 99)
TIMES = (0, 40, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
CHUNK_STREAMS = (2, 3, 4, 63, 64, 319, 320, 65599)
CHUNK_SIZES = (1, 2, 127, 128, 4096, 65536)
COMPILED = True
SEEDS = (
    bytes([7, 0, 0])
    + bytes([0, 2, 1, 0, 90, 0, 1])
    + bytes(90)
    + bytes([1, 2, 1, 1, 60, 0])
    + bytes(60)
    + bytes([3, 2]) * 9,
    bytes([0, 0, 0])
    + bytes([0, 1, 0, 4, 200, 1, 0])
    + bytes(128)
    + bytes([0, 2, 2, 1, 9, 0, 1])
    + bytes(9)
    + bytes([3, 1]) * 3,
    bytes([5, 0, 0])
    + bytes([0, 0, 0, 5, 0, 1])
    + bytes([0, 7, 6, 1, 50, 0, 1])
    + bytes(50)
    + bytes([3, 7]) * 60,
    bytes([3, 3, 3, 0, 0, 0, 0, 0, 4, 8, 1, 0, 0, 0]) + bytes(9),
    bytes([255, 0, 2]) + bytes(range(256)),
)
WORDS = (
    b"\xc3",
    b"\x83",
    b"\x43",
    b"\3\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\0\0\0\1",
    b"\2\0\0\0\0\0\4\1\0\0\0\0",
    b"\x16",
)


def basic_header(form: int, channel: int) -> bytes:
    """Form and chunk stream id, in one to three bytes (RTMP 1.0, 5.3.1.1)."""
    if channel < 64:
        return bytes([form << 6 | channel])
    if channel < 320:
        return bytes([form << 6, channel - 64])
    return bytes([form << 6 | 1]) + (channel - 64).to_bytes(2, "little")


def wire_of(choices: Choices) -> bytes:
    """Chunks of all forms, interleaved, with some bytes changed; or the input as it is."""
    if choices.number() % 4 == 3:
        return choices.take(choices.left)
    places = [(choices.number(2), choices.number()) for _ in range(choices.number() % 4)]
    wire = bytearray()
    chunk_size = 128
    unsent = dict.fromkeys(CHUNK_STREAMS, 0)
    sizes = dict.fromkeys(CHUNK_STREAMS, 0)
    while choices.left:
        form, channel = choices.number() % 4, choices.one(CHUNK_STREAMS)
        wire += basic_header(form, channel)
        time = choices.one(TIMES) if form < 3 else 0
        wire += min(time, 0xFFFFFF).to_bytes(3, "big") * (form < 3)
        kind = choices.one(KINDS) if form < 2 else 0
        if form < 2:
            sizes[channel] = unsent[channel] = choices.number() * choices.one((1, 1, 17)) if kind > 6 else 4
            wire += sizes[channel].to_bytes(3, "big") + bytes([kind])
        if form == 0:
            wire += (choices.number() % 3).to_bytes(4, "little")
        if time >= 0xFFFFFF:
            wire += time.to_bytes(4, "big")
        part = min(unsent[channel] or sizes[channel], chunk_size)
        unsent[channel] = (unsent[channel] or sizes[channel]) - part
        if kind == 1:
            chunk_size = choices.one(CHUNK_SIZES)
            wire += chunk_size.to_bytes(4, "big")
        else:
            wire += choices.take(part).ljust(part, b"x")
    for at, value in places:
        if wire:
            wire[at % len(wire)] = value
    return bytes(wire)


def run(wire: bytes, step: int) -> tuple[list[tuple], list[tuple], bool]:
    """Return the messages shown, the media, and whether the peer was refused."""
    reader = ChunkReader(max_message=MESSAGE_BYTES_MAX, max_streams=8)
    sink = CollectSink()
    reader.set_sink(1, sink)
    shown: list[tuple] = []
    try:
        for start in range(0, len(wire), step):
            block = wire[start : start + step]
            at = 0
            while True:
                used = reader.feed(block, at)
                assert at <= used <= len(block)
                at = used
                if reader.message is None:
                    break
                shown.append(reader.message)
            assert at == len(block)
    except PeerError:
        return shown, sink.messages, True
    assert reader.received == len(wire)
    return shown, sink.messages, False


def check(data: bytes) -> None:
    choices = Choices(data)
    step = choices.number() + 1
    wire = wire_of(choices)
    whole = run(wire, len(wire) or 1)
    assert whole == run(wire, step)
    for *_, body in (*whole[0], *whole[1]):
        assert len(body) <= MESSAGE_BYTES_MAX
