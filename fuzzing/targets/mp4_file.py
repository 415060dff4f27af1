"""Whatever an MP4 file holds, a part of it lies within the file and has a movie box that can be read, or an FlvError says why not.

The first bytes of an input give the bounds of the part.
"""

from __future__ import annotations

import struct
from contextlib import suppress

from fastflv.containers.cut import Place, run_reading
from fastflv.containers.mp4.boxes import read_boxes
from fastflv.containers.mp4.cut import read_cut, read_index
from fastflv.containers.mp4box import UNITY, box, full_box
from fastflv.errors import FlvError

COMPILED = False


def _table(*numbers: int, each: int = 1) -> bytes:
    return struct.pack(f">I{len(numbers)}I", len(numbers) // each, *numbers)


def _track(kind: bytes, samples: int, offset: int, *, edits: bytes = b"", more: bytes = b"") -> bytes:
    stbl = box(
        b"stbl",
        full_box(b"stsd", 0, 0, _table(8), b"mp4a"),
        full_box(b"stts", 0, 0, _table(samples, 100, each=2)),
        more,
        full_box(b"stsc", 0, 0, _table(1, 2, 1, (samples + 1) // 2, 1, 1, each=3)),
        full_box(b"stsz", 0, 0, bytes(4), _table(*range(1, samples + 1))),
        full_box(b"stco", 0, 0, _table(*(offset + 20 * number for number in range((samples + 1) // 2)))),
    )
    mdia = box(
        b"mdia",
        full_box(b"mdhd", 0, 0, struct.pack(">IIIII", 0, 0, 1000, 100 * samples, 0)),
        full_box(b"hdlr", 0, 0, bytes(4), kind, bytes(13)),
        box(b"minf", stbl),
    )
    return box(b"trak", full_box(b"tkhd", 0, 3, bytes(20), bytes(24), UNITY, bytes(8)), edits, mdia)


_HEAD = box(b"ftyp", b"isom", bytes(4))
_MOVIE = full_box(b"mvhd", 0, 0, struct.pack(">IIII", 0, 0, 600, 600), bytes(80))
_SYNC = full_box(b"stss", 0, 0, _table(1, 4, 7))
_SHIFT = full_box(b"ctts", 1, 0, _table(3, 200, 6, 100, each=2))
_EDITS = box(b"edts", full_box(b"elst", 0, 0, _table(600, 0xFFFFFFFF, 65536, 600, 200, 65536, each=3)))
_MOOV = box(
    b"moov", _MOVIE, _track(b"vide", 9, 1400, edits=_EDITS, more=_SYNC + _SHIFT), _track(b"soun", 9, 1410)
)
SEEDS = (
    b"\4\0" + _HEAD + _MOOV + box(b"mdat", bytes(1000)),
    b"\2\7" + _HEAD + box(b"mdat", bytes(1600)) + _MOOV,
    b"\0\0" + _HEAD + box(b"moof", bytes(16)),
)
WORDS = (
    b"moov",
    b"trak",
    b"stbl",
    b"stts",
    b"stsc",
    b"stco",
    b"co64",
    b"stss",
    b"\xff\xff\xff\xff",
    bytes(4),
    b"\0\0\0\1",
)


def check(data: bytes) -> None:
    start, end = (*data[:2], 0, 0)[:2]
    file = data[2:]

    def read(offset: int, size: int) -> bytes:
        return file[offset : offset + size]

    try:
        index = run_reading(read_index(len(file)), read)
        wanted = Place(end / 5, True) if end else None
        cut = run_reading(read_cut(index, Place(start / 10, True), wanted), read)
    except FlvError:
        return
    if not 0 < cut.offset < cut.offset + cut.size <= len(file):
        raise AssertionError(f"a part outside of the file: {cut.offset} {cut.size}")
    if len(cut.before) > 2 * len(file) + 4096:
        raise AssertionError("the movie box of a part is much longer than that of the file")
    whole = cut.before + file[cut.offset : cut.offset + cut.size]
    names = [each.name for each in read_boxes(memoryview(whole))]
    if names[-2:] != [b"moov", b"mdat"]:
        raise AssertionError(f"boxes {names}")
    again = run_reading(read_index(len(whole)), lambda offset, size: whole[offset : offset + size])
    # Samples that reach into the next chunks, or are shown behind the end of all, may make no part of a part.
    with suppress(FlvError):
        run_reading(read_cut(again, None, None), read)
