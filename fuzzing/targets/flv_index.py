"""Whatever a file holds, and however much of it a read returns, its index and its parts lie within it, or an FlvError says why not.

The first bytes of an input give the bounds of the part and the length of the reads.
"""

from __future__ import annotations

from fastflv._ext.syntax.flvtag import make_tag
from fastflv.containers.cut import Place, run_reading
from fastflv.containers.flv.cut import read_cut
from fastflv.containers.flv.index import read_index
from fastflv.containers.flv.reader import walk_tags
from fastflv.errors import FlvError

COMPILED = True
BEGIN = b"\x05\x20\xff\x01FLV\1\5\0\0\0\x09\0\0\0\0"
LIST = (
    b"\2\0\x0aonMetaData\x08\0\0\0\1\0\x09keyframes\3\0\x0dfilepositions\x0a\0\0\0\1\0\x40\x40\0\0\0\0\0\0"
    b"\0\5times\x0a\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\x09\0\0\x09"
)
SEEDS = (
    BEGIN
    + make_tag(18, 0, LIST)
    + make_tag(9, 0, b"\x17\0\0\0\0" + bytes(8))
    + make_tag(8, 0, b"\xaf\0\x12\x10")
    + b"".join(
        make_tag(9, 40 * n, (b"\x27" if n % 3 else b"\x17") + b"\1\0\0\0" + bytes(20)) for n in range(9)
    ),
    BEGIN + b"".join(make_tag(8, 500 * n, b"\xaf\1" + bytes(9)) for n in range(9)),
    BEGIN + make_tag(9, 0, b"\x90hvc1" + bytes(9)) + make_tag(9, 9, b"\x91hvc1\0\0\0" + bytes(9)) + bytes(30),
)
WORDS = (
    b"\x12\0\0",
    b"\x09\0\0",
    b"\x08\0\0",
    b"\x17\0\0\0\0",
    b"\x17\1\0\0\0",
    b"\x7f\xff\xff\xff",
    b"\x90av01",
    LIST,
)


def check(data: bytes) -> None:
    start, end, most, how = (*data[:4], 0, 0, 0, 0)[:4]
    file = data[4:]
    # A file may become shorter while it is read.
    there = len(file) - (most % 7 if how & 4 else 0)

    def read(offset: int, size: int) -> bytes:
        return file[: max(there, 0)][offset : offset + size]

    try:
        index = run_reading(read_index(len(file), claims=bool(how & 1)), read)
        if not (len(index.positions) == len(index.times) > 0 and 0 < index.begin <= index.positions[0]):
            raise AssertionError("an index without a place to start")
        if (
            list(index.times) != sorted(index.times)
            or index.positions[-1] >= index.end
            or index.end > len(file)
        ):
            raise AssertionError("an index that is not in order")
        seconds = bool(how & 2)
        cut = run_reading(read_cut(index, Place(start / 8, seconds), Place(end * 2, not seconds)), read)
    except FlvError:
        return
    if not 0 <= cut.offset < cut.offset + cut.size <= len(file):
        raise AssertionError(f"a part outside of the file: {cut.offset} {cut.size}")
    ends = [end for _, end in walk_tags(cut.before, 13)]
    if cut.before and (cut.before[:3] != b"FLV" or [13, *ends][-1] != len(cut.before)):
        raise AssertionError("headers that are no tags")
