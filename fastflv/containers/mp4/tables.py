"""The sample tables of a track, and what stands in them for a part of its samples (ISO 14496-12, 8.6.1, 8.7).

Tables are read and cut as arrays: an hour of video has 100,000 samples. Samples and chunks count from 0 here.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from itertools import accumulate
from operator import lt
from typing import NamedTuple

from fastflv import limits
from fastflv.containers.mp4.boxes import Box, shown
from fastflv.containers.mp4box import full_box
from fastflv.errors import MediaFileError

INDEPENDENT = (b"stsd", b"sgpd", b"cslg")
"Boxes of a sample table that a part has unchanged; others but the tables below tell of samples one by one, and are left out."


class Runs:
    """Values of samples, each with the count of those that follow each other and have it: `stts`, `ctts`."""

    def __init__(self, box: Box) -> None:
        pairs = _numbers(box, "I", 2)
        self.counts, self.values = pairs[0::2], pairs[1::2]
        self.ends = _sums(self.counts)
        "Behind the last sample of each run."

    @property
    def samples(self) -> int:
        return self.ends[-1] if self.ends else 0

    def of(self, sample: int) -> int:
        """Return the value of a sample."""
        return self.values[bisect_right(self.ends, sample)]

    def cut(self, first: int, last: int) -> bytes:
        """Return the table of the samples from *first* to before *last*, more than none."""
        begin, end = bisect_right(self.ends, first), bisect_left(self.ends, last)
        counts, values = self.counts[begin : end + 1], self.values[begin : end + 1]
        counts[0] = self.ends[begin] - first
        counts[-1] -= self.ends[end] - last
        pairs = array("I", bytes(8 * len(counts)))
        pairs[0::2], pairs[1::2] = counts, values
        return _table(pairs, 2)


class Times:
    """Decode times, in the scale of the track."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        spans = (count * value for count, value in zip(runs.counts, runs.values, strict=True))
        self._ends = array("Q", accumulate(spans))

    def of(self, sample: int) -> int:
        """Return the time of a sample; that of the one behind the last is the end."""
        run = bisect_right(self._runs.ends, sample)
        if run == len(self._ends):
            return self._ends[-1] if self._ends else 0
        return self._ends[run] - (self._runs.ends[run] - sample) * self._runs.values[run]

    def at(self, time: int) -> int:
        """Return the last sample at or before *time*; 0 before the first."""
        if time < 0:
            return 0
        # A run that ends behind a time from 0 on has a step that is not 0.
        run = bisect_right(self._ends, time)
        if run == len(self._ends):
            return self._runs.samples - 1
        step = self._runs.values[run]
        before = self._runs.ends[run] - self._runs.counts[run]
        begun = self._ends[run] - self._runs.counts[run] * step
        return before + (time - begun) // step


class ChunkRun(NamedTuple):
    """Chunks with the same count of samples (`stsc`)."""

    chunk: int
    sample: int
    "The first of each."

    samples: int
    "In each chunk."

    description: int


class Part(NamedTuple):
    """Where samples of a track lie."""

    runs: bytes
    "A table `stsc`."

    offsets: array[int]
    "Of the chunks."

    begin: int
    end: int
    "In the file, bytes; of all chunks together."


class Samples:
    """The samples of a track. Raises MediaFileError for tables that do not fit each other."""

    def __init__(self, stbl: Box) -> None:
        boxes = {box.name: box for box in stbl.children()}
        if missing := {b"stsd", b"stts", b"stsc"} - boxes.keys():
            raise MediaFileError(f"a track has no {shown(min(missing))}")
        if b"saiz" in boxes:
            raise MediaFileError("its samples are encrypted")
        self._kept = [box.data for box in stbl.children() if box.name in INDEPENDENT]
        self._runs = Runs(boxes[b"stts"])
        self._shifts = Runs(boxes[b"ctts"]) if b"ctts" in boxes else None
        self._shift_version = boxes[b"ctts"].content[0] if b"ctts" in boxes else 0
        self.sync = _numbers(boxes[b"stss"], "I", 1) if b"stss" in boxes else None
        "Numbers of those that a decoder can start with, from 1 on; None: all."
        self._read_sizes(boxes)
        if b"stco" in boxes:
            self._chunks = array("Q", _numbers(boxes[b"stco"], "I", 1))
        elif b"co64" in boxes:
            self._chunks = _numbers(boxes[b"co64"], "Q", 1)
        else:
            raise MediaFileError("a track has no stco")
        self._chunk_runs = self._read_runs(boxes[b"stsc"])
        if self.sync is not None and self.sync:
            rising = all(map(lt, self.sync, self.sync[1:]))
            if not rising or not self.sync[0] or self.sync[-1] > self.count:
                raise MediaFileError("keyframes of a track are out of order")
        shifted = self.count if self._shifts is None else self._shifts.samples
        if self._runs.samples != self.count or shifted < self.count:
            raise MediaFileError(
                f"a track has sizes of {self.count} samples and times of {self._runs.samples}"
            )
        # Of so many samples, the sum of their times has 64 bits at most.
        self.times = Times(self._runs)

    @property
    def is_shifted(self) -> bool:
        """Samples are shown in another order than they are decoded in."""
        return self._shifts is not None

    def shown(self, sample: int) -> int:
        """Return the time of composition of a sample."""
        shift = self._shifts.of(sample) if self._shifts is not None else 0
        # Version 0 knows no negative shift; writers that needed one wrote it nevertheless.
        return self.times.of(sample) + (shift - (1 << 32) if shift >> 31 else shift)

    def start_at(self, time: int) -> int:
        """Return the last sample composed at or before *time* that a decoder can start with; else the first such one."""
        sample = self.times.at(time)
        if self.sync is None:
            return sample
        place = bisect_right(self.sync, sample + 1) - 1
        while place > 0 and self.shown(self.sync[place] - 1) > time:
            place -= 1
        return self.sync[max(place, 0)] - 1 if self.sync else 0

    def cut(self, first: int, last: int, *, wide: bool) -> tuple[list[bytes | memoryview], Part]:
        """Return the boxes of a table of the samples from *first* to before *last*, but for the offsets of chunks.

        Those are to be written as `co64` where *wide*.
        """
        boxes: list[bytes | memoryview] = [*self._kept, full_box(b"stts", 0, 0, self._runs.cut(first, last))]
        if self._shifts is not None:
            boxes.append(full_box(b"ctts", self._shift_version, 0, self._shifts.cut(first, last)))
        if self.sync is not None:
            kept = self.sync[bisect_right(self.sync, first) : bisect_right(self.sync, last)]
            numbers = array("I", (number - first for number in kept))
            boxes.append(full_box(b"stss", 0, 0, _table(numbers, 1)))
        if self._sizes is None:
            boxes.append(full_box(b"stsz", 0, 0, struct.pack(">II", self._size, last - first)))
        else:
            boxes.append(full_box(b"stsz", 0, 0, bytes(4), _table(self._sizes[first:last], 1)))
        part = self._part(first, last)
        boxes.append(full_box(b"stsc", 0, 0, part.runs))
        return boxes, part

    def _read_sizes(self, boxes: dict[bytes, Box]) -> None:
        if b"stsz" not in boxes:
            raise MediaFileError("a track has no stsz")
        self._size, self.count = boxes[b"stsz"].fields(">II", 4)
        self._sizes = None if self._size else _numbers(boxes[b"stsz"], "I", 1, at=8)

    def _read_runs(self, box: Box) -> list[ChunkRun]:
        fields = _numbers(box, "I", 3)
        found: list[ChunkRun] = []
        sample = 0
        starts = [*fields[0::3], len(self._chunks) + 1]
        for number, (start, samples, description) in enumerate(
            zip(fields[0::3], fields[1::3], fields[2::3], strict=True)
        ):
            chunks = starts[number + 1] - start
            if chunks <= 0 or not samples or (number == 0 and start != 1):
                raise MediaFileError("chunks of a track are out of order")
            found.append(ChunkRun(start - 1, sample, samples, description))
            sample += chunks * samples
        if sample < self.count:
            raise MediaFileError(f"a track has {self.count} samples, {sample} of them in chunks")
        return found

    def _run_of(self, sample: int) -> ChunkRun:
        return self._chunk_runs[bisect_right(self._chunk_runs, sample, key=lambda run: run.sample) - 1]

    def _bytes(self, first: int, last: int) -> int:
        return self._size * (last - first) if self._sizes is None else sum(self._sizes[first:last])

    def _chunk_samples(self, chunk: int) -> tuple[int, int, int]:
        """Return the first sample of a chunk, that behind its last one, and its description."""
        run = self._run_at(chunk)
        first = run.sample + (chunk - run.chunk) * run.samples
        return first, min(first + run.samples, self.count), run.description

    def _part(self, first: int, last: int) -> Part:
        begin_run, end_run = self._run_of(first), self._run_of(last - 1)
        begin = begin_run.chunk + (first - begin_run.sample) // begin_run.samples
        end = end_run.chunk + (last - 1 - end_run.sample) // end_run.samples
        offsets = self._chunks[begin : end + 1]
        there, behind, description = self._chunk_samples(begin)
        offsets[0] += self._bytes(there, first)
        entries = [(1, min(behind, last) - first, description)]
        inner = [run for run in self._chunk_runs if begin < run.chunk < end]
        if begin + 1 < end:
            inner.insert(0, self._run_at(begin + 1))
        for run in inner:
            entry = (max(run.chunk, begin + 1) - begin + 1, run.samples, run.description)
            if entry[1:] != entries[-1][1:]:
                entries.append(entry)
        if end > begin:
            there, _, description = self._chunk_samples(end)
            if (last - there, description) != entries[-1][1:]:
                entries.append((end - begin + 1, last - there, description))
        highest = max(range(len(offsets)), key=offsets.__getitem__)
        there, behind, _ = self._chunk_samples(begin + highest)
        stop = offsets[highest] + self._bytes(max(there, first), min(behind, last))
        runs = _table(array("I", (number for entry in entries for number in entry)), 3)
        return Part(runs, offsets, min(offsets), stop)

    def _run_at(self, chunk: int) -> ChunkRun:
        return self._chunk_runs[bisect_right(self._chunk_runs, chunk, key=lambda run: run.chunk) - 1]


def chunk_offsets(offsets: array[int], shift: int, *, wide: bool) -> bytes:
    """Return a box of the offsets of chunks, each moved by *shift*."""
    moved = array("Q" if wide else "I", (offset + shift for offset in offsets))
    return full_box(b"co64" if wide else b"stco", 0, 0, _table(moved, 1))


def _numbers(box: Box, code: str, each: int, at: int = 4) -> array[int]:
    """Read the numbers of a table whose count of entries stands at offset *at*, *each* of so many numbers."""
    (count,) = box.fields(">I", at)
    numbers = array(code)
    size = count * each * numbers.itemsize
    table = box.content[at + 4 :]
    if size > len(table):
        raise MediaFileError(f"a table {shown(box.name)} of {count} entries in {len(table)} bytes")
    numbers.frombytes(table[:size])
    _swap(numbers)
    return numbers


def _sums(numbers: array[int]) -> array[int]:
    """Return the sums of *numbers* so far, piece by piece: other threads have their turn between two of them."""
    sums = array("Q")
    for at in range(0, len(numbers), limits.MP4_PIECE):
        piece = accumulate(numbers[at : at + limits.MP4_PIECE], initial=sums[-1] if sums else 0)
        next(piece)
        sums.extend(piece)
    return sums


def _table(numbers: array[int], each: int) -> bytes:
    count = struct.pack(">I", len(numbers) // each)
    _swap(numbers)
    return count + numbers.tobytes()


def _swap(numbers: array[int]) -> None:
    if sys.byteorder == "little":
        numbers.byteswap()
