"""The `moov` box of a plain MP4 file, from the lists of its samples.

Spec: ISO 14496-12, 8.6 (times, sync samples, edit lists) and 8.7 (sizes, chunks, offsets).
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby, pairwise

from fastflv.containers.mp4box import box, full_box
from fastflv.containers.mp4entry import Mp4Track
from fastflv.containers.mp4track import MOVIE_TICKS, movie_header, track_box
from fastflv.media.codecs import VIDEO

SWAPS = sys.byteorder == "little"


class SampleTable:
    """The samples of one track in decoding order: 12 bytes each, and 12 for each run that lies in one piece."""

    def __init__(self, track: Mp4Track) -> None:
        self.track = track
        self.times = array("q")
        "Decode times, ticks of the track; they need not begin at 0."
        self.sizes = array("I")
        "Bytes."
        self.compositions = array("i")
        "Presentation times minus decode times, ticks."
        self.keys = array("I")
        "Numbers of the sync samples, from 1 on."
        self.end = 0
        "End of the last sample, ticks."
        self._chunks = array("Q")
        "Positions of the runs in the file."
        self._counts = array("I")
        "Samples of each run."
        self._next = -1
        "Position behind the last sample."

    def __len__(self) -> int:
        return len(self.times)

    def add(
        self, time: int, duration: int, size: int, position: int, *, composition: int = 0, key: bool = True
    ) -> None:
        """Add a sample that lies at *position* in the file. The times of others decide how long it really lasts."""
        self.times.append(time)
        self.sizes.append(size)
        self.compositions.append(composition)
        if key:
            self.keys.append(len(self.times))
        self.end = time + duration
        self._extend(1, size, position)

    def add_run(
        self,
        start: int,
        durations: Sequence[int],
        sizes: array[int],
        position: int,
        *,
        compositions: array[int],
        keys: Iterable[int],
    ) -> None:
        """Add samples that follow each other in time and in the file; *keys*: indices of sync samples among them."""
        before = len(self.times)
        times = array("q", accumulate(durations, initial=start))
        self.end = times.pop()
        self.times += times
        self.sizes += sizes
        self.compositions += compositions
        self.keys.extend(before + 1 + i for i in keys)
        self._extend(len(times), sum(sizes), position)

    def _extend(self, count: int, size: int, position: int) -> None:
        if position == self._next and self._counts:
            self._counts[-1] += count
        else:
            self._chunks.append(position)
            self._counts.append(count)
        self._next = position + size

    # --- what the movie needs ---

    @property
    def first_shown(self) -> int:
        """Earliest presentation time, ticks."""
        return min(self._shown_times())

    @property
    def shown(self) -> int:
        """From the earliest presentation time to the end of the latest one, ticks."""
        last = max(self._shown_times())
        return last - self.first_shown + max(self.end - self.times[-1], 0)

    def _shown_times(self) -> Iterator[int]:
        return map(int.__add__, self.times, self.compositions)

    @property
    def last_position(self) -> int:
        """Position of the last run of samples."""
        return self._chunks[-1]

    def tables(self, offset: int, *, wide: bool) -> Iterator[bytes]:
        """Yield the boxes of the sample table; *offset* is added to positions, *wide*: they have 64 bits."""
        steps = [max(b - a, 0) for a, b in pairwise(self.times)]
        steps.append(max(self.end - self.times[-1], 0))
        yield full_box(b"stts", 0, 0, *_runs(steps, ">II"))
        if any(self.compositions):
            signed = min(self.compositions) < 0
            yield full_box(b"ctts", int(signed), 0, *_runs(self.compositions, ">Ii" if signed else ">II"))
        if self.track.kind == VIDEO and len(self.keys) < len(self):
            yield full_box(b"stss", 0, 0, struct.pack(">I", len(self.keys)), _big(self.keys))
        yield full_box(b"stsc", 0, 0, *self._chunk_runs())
        yield full_box(b"stsz", 0, 0, struct.pack(">II", 0, len(self)), _big(self.sizes))
        places = array("Q" if wide else "I", (each + offset for each in self._chunks))
        yield full_box(b"co64" if wide else b"stco", 0, 0, struct.pack(">I", len(places)), _big(places))

    def _chunk_runs(self) -> Iterator[bytes]:
        rows = []
        first = 1
        for count, same in groupby(self._counts):
            rows.append(struct.pack(">III", first, count, 1))
            first += sum(1 for _ in same)
        yield struct.pack(">I", len(rows))
        yield from rows


def movie(tables: Iterable[SampleTable], *, offset: int = 0) -> bytes:
    """Return the `moov` box of tracks; those without samples are left out.

    *offset* is added to the positions of all samples. The earliest presentation time of all tracks is the begin of the
    movie; edit lists delay the others, and leave out what B-frames put before the first picture.
    """
    found = [table for table in tables if len(table)]
    wide = any(table.last_position + offset >> 32 for table in found)
    begin = min((table.first_shown / table.track.timescale for table in found), default=0.0)
    boxes, longest = [], 0
    for table in found:
        ticks = table.track.timescale
        delay = max(round((table.first_shown / ticks - begin) * MOVIE_TICKS), 0)
        shown = -(-table.shown * MOVIE_TICKS // ticks)
        skipped = max(table.first_shown - table.times[0], 0)
        longest = max(longest, delay + shown)
        boxes.append(
            track_box(
                table.track,
                *table.tables(offset, wide=wide),
                duration=delay + shown,
                media_duration=max(table.end - table.times[0], 0),
                edits=_edits(delay, shown, skipped),
            )
        )
    return box(b"moov", movie_header(longest), *boxes)


def _edits(delay: int, shown: int, skipped: int) -> bytes:
    """Return the edit list: nothing for *delay* ms, then *shown* ms from the media time *skipped* on."""
    rows = [(delay, -1)] if delay else []
    rows.append((shown, skipped))
    wide = any(length >> 32 or time >> 31 > 0 for length, time in rows)
    form = struct.Struct(">QqI" if wide else ">IiI")
    packed = b"".join(form.pack(length, time, 0x10000) for length, time in rows)
    return box(b"edts", full_box(b"elst", int(wide), 0, struct.pack(">I", len(rows)), packed))


def _runs(values: Iterable[int], form: str) -> Iterator[bytes]:
    """Run lengths: their number, and each as a count and a value."""
    rows = [struct.pack(form, sum(1 for _ in same), value) for value, same in groupby(values)]
    yield struct.pack(">I", len(rows))
    yield from rows


def _big(values: array[int]) -> bytes:
    """The numbers in network order."""
    if not SWAPS:
        return values.tobytes()
    swapped = values[:]
    swapped.byteswap()
    return swapped.tobytes()
