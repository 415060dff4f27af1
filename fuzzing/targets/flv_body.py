"""Media messages of a publisher, through a stream and into every container: no message ends anything but itself.

An input is a list of messages, each with a kind, a step of time and a body that may begin as a real one.
"""

from __future__ import annotations

from fastflv._ext.ingest.sink import CollectSink
from fastflv._ext.ingest.tagread import TagReader
from fastflv._ext.syntax.flvtag import make_tag, payload, traits
from fastflv.containers.flv.reader import walk_tags
from fastflv.containers.variant import HevcLabel, Variant
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions
from fuzzing.choices import Choices

AVC = bytes.fromhex("014d400dffe10019674d400deca0a0cfcf80880000030008000003019078a14cb001000468ce3c80")
BODIES = (
    b"", b"\x17\0\0\0\0" + AVC, b"\x17\1\0\0\0\0\0\0\5\x65abcd", b"\x27\1\0\0\x28\0\0\0\2\x41a", b"\xaf\0\x12\x10", b"\xaf\1sound",
    b"\x90hvc1", b"\x91hvc1\0\0\0", b"\x93hvc1", b"\x90av01\x81\4\x0c\0", b"\x91av01\x12\0", b"\x90vp09", b"\x1c\1\0\0\0\0\0\0\3\x26\1a",
    b"\x90OpusOpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0", b"\x91Opus\xfc", b"\x2f\xff\xfb\x90\x64", b"\x96\0avc1", b"\x95\1mp4a\0",
    b"\x17\2\0\0\0", b"\x57\0", b"\x97\2\0\0avc1", b"\x2a\xff\xf1\x50\x80\x02\x1f\xfc", b"\xaf\1\xff\xf1\x50\x80\x01\x7f\xfcabcd",
    b"\x17\1\0\0\0\0\0\0\1\x67\x42\0\x1f", b"\x27\1\0\0\0\0\0\0\3\6\5\x80",
)  # fmt: skip
STEPS = (0, 20, 40, 1000, 4000, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFD8)
VARIANTS = (
    Variant(), Variant("ts"), Variant("aac"), Variant("mp3"), Variant("rtmp", chunk_size=128, stream_id=1), Variant("ts", audio=False),
    Variant(video=False), Variant(keys_only=True, audio=False), Variant(hevc=HevcLabel.LEGACY), Variant(hevc=HevcLabel.ENHANCED),
)  # fmt: skip
COMPILED = True
SEEDS = tuple(
    b"".join(bytes([kind, step, body, 0]) for kind, step, body in messages)
    for messages in (
        [(9, 0, 1), (8, 0, 4), *[(9, 2, 2), (8, 1, 5), (9, 2, 3)] * 3],
        [(9, 0, 6), (9, 0, 7), (9, 2, 8), (8, 0, 13), (8, 1, 14)],
        [(9, 0, 9), (9, 2, 10), (8, 0, 15), (8, 1, 15)],
        [(8, 0, 21), (8, 1, 22), (9, 0, 23), (9, 2, 2), (9, 2, 24)],
        [(9, 0, 12), (9, 6, 12), (9, 5, 3), (8, 7, 5)],
    )
)
WORDS = (
    b"\x09\0\1\0",
    b"\x08\0\4\0",
    b"\x09\2\2\0",
    b"\x08\1\5\0",
    b"\0\0\0\1\x65",
    b"\0\0\0\1",
    b"\xff\xff\xff\xff",
    b"\0\0\3",
    b"\xff\xf1",
)


def check(data: bytes) -> None:
    choices = Choices(data)
    stream = Stream(StreamName("v", "live", "a"), StreamOptions(), id="x", now_ms=0)
    stream.begin("p", 0)
    reader = TagReader()
    reader.sink = stream.writer
    plain = TagReader()
    plain.sink = sink = CollectSink()
    header = b"FLV\1\5\0\0\0\x09\0\0\0\0"
    reader.feed(header)
    plain.feed(header)
    time = 0
    opened = choices.number() % 4
    for count in range(64):
        if not choices.left:
            break
        kind = 8 if choices.number() == 8 else 9
        time = (time + choices.one(STEPS)) % 2**32
        body = choices.one(BODIES) + choices.take(choices.number() % 128)
        assert traits(kind, body)[0] >= 0
        found = payload(kind, body)
        assert found is None or len(found[4]) <= len(body)
        tag = make_tag(kind, time, body)
        for each in (reader, plain):
            assert each.feed(tag) == len(tag)
        if count == opened:
            for variant in VARIANTS:
                stream.open(variant)
    assert all(len(body) < 256 for *_, body in sink.messages)
    for outlet in stream.outlets:
        outlet.starts.header_tags()
        assert outlet.log.head >= outlet.log.tail
    list(walk_tags(stream.writer.header_tags(0)))
    stream.outlets.end()
