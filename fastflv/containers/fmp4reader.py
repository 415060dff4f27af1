"""Reads fragmented MP4 back: the tracks of its movie, and where the samples of its fragments lie.

Spec: ISO 14496-12, 8.8. Reads what `fmp4` writes, and other writers' files whose fragments say where their data is.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator
from typing import NamedTuple

from fastflv import limits
from fastflv.containers.mp4entry import Mp4Track
from fastflv.containers.mp4movie import SWAPS, SampleTable
from fastflv.errors import MediaFileError
from fastflv.media.codecs import AUDIO, VIDEO

Read = Callable[[int, int], bytes]
"`(offset, size)`: bytes of the file, fewer at its end."

NOT_SYNC = 0x1_0000
"Of the flags of a sample."

_ROW = (0x100, 0x200, 0x400, 0x800)
"Fields of a row of `trun`, in their order: duration, size, flags, composition."


class Mp4Box(NamedTuple):
    """Where a box lies."""

    name: bytes
    at: int
    size: int
    head: int
    "Bytes before its content."

    @property
    def end(self) -> int:
        return self.at + self.size


def top_boxes(read: Read, at: int = 0) -> Iterator[Mp4Box]:
    """Yield the boxes of a file that have a whole head, the last one whether all of it is there or not."""
    while len(head := read(at, 16)) >= 8:
        size, name = struct.unpack_from(">I4s", head)
        length = 8
        if size == 1 and len(head) == 16:
            size, length = int.from_bytes(head[8:], "big"), 16
        if size < length:
            return
        yield Mp4Box(name, at, size, length)
        at += size


def inner_boxes(data: bytes, at: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of the boxes in *data*. Raises MediaFileError for one that does not fit."""
    while at < len(data):
        if len(data) - at < 8:
            raise MediaFileError("a box without a head")
        size, name = struct.unpack_from(">I4s", data, at)
        if not 8 <= size <= len(data) - at:
            raise MediaFileError(f"a box of {size} bytes, where {len(data) - at} are left")
        yield name, data[at + 8 : at + size]
        at += size


def find(data: bytes, *path: bytes) -> bytes:
    """Return the content of the first box at *path*. Raises MediaFileError without one."""
    for name in path:
        found = next((content for each, content in inner_boxes(data) if each == name), None)
        if found is None:
            raise MediaFileError(f"no box {name.decode('latin-1')}")
        data = found
    return data


def read_tracks(movie: bytes) -> dict[int, Mp4Track]:
    """Return the tracks of sound and pictures in the content of a `moov` box, by their numbers."""
    tracks = {}
    for name, trak in inner_boxes(movie):
        if name != b"trak":
            continue
        head, media = find(trak, b"tkhd"), find(trak, b"mdia", b"mdhd")
        handler = find(trak, b"mdia", b"hdlr")[8:12]
        kind = {b"vide": VIDEO, b"soun": AUDIO}.get(handler)
        if kind is None:
            continue
        try:
            (number,) = struct.unpack_from(">I", head, 20 if head[0] else 12)
            width, height = struct.unpack(">II", head[-8:])
            (ticks,) = struct.unpack_from(">I", media, 20 if media[0] else 12)
        except (struct.error, IndexError) as error:
            raise MediaFileError("a track that is cut") from error
        entry = find(trak, b"mdia", b"minf", b"stbl", b"stsd")[8:]
        if not ticks or len(entry) < 8:
            raise MediaFileError("a track without a clock or a description")
        tracks[number] = Mp4Track(kind, "", ticks, entry, width >> 16, height >> 16)
    return tracks


def read_fragment(tables: dict[int, SampleTable], moof: bytes, at: int) -> None:
    """Add the samples of a fragment to *tables*, by track number. *moof*: content of the box at *at* in the file."""
    for name, traf in inner_boxes(moof):
        if name == b"traf":
            try:
                _read_track(tables, traf, at)
            except (struct.error, IndexError) as error:
                raise MediaFileError("a fragment that is cut") from error


def _read_track(tables: dict[int, SampleTable], traf: bytes, at: int) -> None:
    head, times = find(traf, b"tfhd"), find(traf, b"tfdt")
    flags, number = struct.unpack_from(">II", head)
    table = tables.get(number)
    if table is None:
        return
    offset = 8
    base = at
    if flags & 1:
        (base,) = struct.unpack_from(">Q", head, offset)
        offset += 8
    offset += 4 * bool(flags & 2)
    defaults = []
    for flag in (0x8, 0x10, 0x20):
        defaults.append(struct.unpack_from(">I", head, offset)[0] if flags & flag else 0)
        offset += 4 * bool(flags & flag)
    start = struct.unpack_from(">Q" if times[0] else ">I", times, 4)[0]
    position = base
    for name, run in inner_boxes(traf):
        if name != b"trun":
            continue
        start, position = _read_run(table, run, start, base, position, defaults)


def _read_run(
    table: SampleTable, run: bytes, start: int, base: int, position: int, defaults: list[int]
) -> tuple[int, int]:
    """Add one run; return the time and the position behind it."""
    flags, count = struct.unpack_from(">II", run)
    flags &= 0xFFFFFF
    at = 8
    if flags & 1:
        position = base + struct.unpack_from(">i", run, at)[0]
        at += 4
    first = struct.unpack_from(">I", run, at)[0] if flags & 4 else None
    at += 4 * bool(flags & 4)
    stride = sum(bool(flags & each) for each in _ROW)
    if len(run) - at < 4 * stride * count or count > limits.MP4_RUN_SAMPLES_MAX:
        raise MediaFileError("a run of samples that is cut")
    rows = array("I", run[at : at + 4 * stride * count])
    if SWAPS:
        rows.byteswap()
    columns = []
    place = 0
    for i, flag in enumerate(_ROW):
        if flags & flag:
            columns.append(rows[place::stride])
            place += 1
        else:
            columns.append(array("I", [defaults[i] if i < 3 else 0]) * count)
    durations, sizes, hows, shown = columns
    if first is not None and count:
        hows[0] = first
    keys = [i for i, how in enumerate(hows) if not how & NOT_SYNC]
    # Negative ones have the top bit (version 1).
    compositions = array("i", shown.tobytes())
    table.add_run(start, durations, sizes, position, compositions=compositions, keys=keys)
    return start + sum(durations), position + sum(sizes)
