"""Whatever bytes arrive, in whatever pieces, TagReader shows whole tags, or raises FlvHeaderError, TagError or TagSizeError.

The first byte of an input gives the size of the pieces.
"""

from __future__ import annotations

from fastflv._ext.ingest.sink import CollectSink
from fastflv._ext.ingest.tagread import TagReader
from fastflv._ext.syntax.flvtag import make_tag
from fastflv.errors import FlvHeaderError, TagError, TagSizeError

TAG_BYTES_MAX = 4096
HEADER = b"\xffFLV\1\5\0\0\0\x09\0\0\0\0"
COMPILED = True
SEEDS = (
    HEADER
    + make_tag(18, 0, b"\2\0\x0aonMetaData\x08\0\0\0\0\0\0\x09")
    + make_tag(9, 40, b"\x17\1\0\0\0" + bytes(40)),
    HEADER + make_tag(8, 1, b"\xaf\0\x12\x10") + make_tag(8, 20, b""),
)
WORDS = (b"\x12\0\0", b"\x09\0\0", b"\x08\0\0", b"FLV\1", b"\xff\xff\xff", b"\0\0\0\x0b")


def check(data: bytes) -> None:
    reader = TagReader(max_tag=TAG_BYTES_MAX)
    sink = reader.sink = CollectSink()
    step = data[0] + 1 if data else 1
    shown = 0
    for start in range(1, len(data), step):
        piece = data[start : start + step]
        at = 0
        while True:
            try:
                used = reader.feed(piece, at)
            except (FlvHeaderError, TagError, TagSizeError):
                return
            if not at <= used <= len(piece):
                raise AssertionError("offset outside the block")
            at = used
            if reader.message is None:
                break
            kind, time_ms, body = reader.message
            if kind != 18 or not 0 <= time_ms < 2**32 or len(body) > TAG_BYTES_MAX:
                raise AssertionError(f"script tag {reader.message}")
            shown += 11 + len(body)
        if at != len(piece):
            raise AssertionError("bytes left without a script tag")
    for kind, time_ms, body in sink.messages:
        if kind not in (8, 9) or not 0 <= time_ms < 2**32 or len(body) > TAG_BYTES_MAX:
            raise AssertionError(f"media tag {kind} {time_ms} of {len(body)} bytes")
        shown += 11 + len(body)
    if shown > reader.received:
        raise AssertionError("more was shown than received")
