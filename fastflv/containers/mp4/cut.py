"""A part of an MP4 file, from a keyframe on: a movie box of its own, and a range of the media data.

The movie box is that of the file with other tables, times and edit lists, so that codecs, languages and whatever else writers
put there stay as they are. Spec: ISO 14496-12, 8.2 to 8.7.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from fastflv import limits
from fastflv.containers.cut import Cut, Place, Reading
from fastflv.containers.mp4.boxes import Box, box_head, read_boxes
from fastflv.containers.mp4.tables import Samples, chunk_offsets
from fastflv.containers.mp4box import box, full_box
from fastflv.errors import MediaFileError, MediaPlaceError

HEAD_BYTES: Final = 16
FIRST: Final = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")
"Boxes that files begin with."

NARROW: Final = 1 << 32
"From this size on a box has a length of 64 bits."


@dataclass(frozen=True, slots=True)
class Mp4Index:
    """The boxes of a file that tell of its media."""

    size: int
    "Of the file, bytes."

    kind: bytes
    "The box `ftyp`; empty without one."

    moov: bytes

    claimed: bool = False

    @property
    def cost(self) -> int:
        """Memory, bytes."""
        return limits.VOD_INDEX_EXTRA_BYTES + len(self.kind) + len(self.moov)


def read_index(size: int, *, claims: bool = True) -> Reading[Mp4Index]:
    """Read the index of a file of *size* bytes. Raises MediaFileError for what is no finished MP4 file."""
    kind, at = b"", 0
    for _ in range(limits.MP4_BOXES_MAX):
        head = yield at, HEAD_BYTES
        if not head:
            break
        length, name, head_bytes = box_head(head)
        if not at and name not in FIRST:
            raise MediaFileError("the file is no MP4", offset=0)
        length = length or size - at
        if at + length > size:
            raise MediaFileError("the file ends within a box", offset=at)
        if name in (b"ftyp", b"moov"):
            if length > limits.MP4_MOOV_BYTES_MAX:
                raise MediaFileError(f"a box of {length} bytes tells of its media", offset=at)
            data = yield at, length
            if len(data) < length:
                break
            if name == b"ftyp":
                kind = box(b"ftyp", data[head_bytes:])
            else:
                moov = box(b"moov", data[head_bytes:])
                _tracks(moov)
                return Mp4Index(size, kind, moov)
        elif name == b"moof":
            break
        at += length
    raise MediaFileError("the file has no movie box: it is not finished, or no MP4", offset=at)


def read_cut(index: Mp4Index, start: Place | None, end: Place | None) -> Reading[Cut]:
    """Return the part from the keyframe at or before *start* to before *end*, both in seconds.

    None stands for the begin and for the end of the file. Raises MediaPlaceError for places outside, MediaFileError for tables
    that lead out of the file.
    """
    # The index has all that is wanted of the file.
    yield from ()
    movie, tracks = _tracks(index.moov)
    begin = start.value if start is not None else 0.0
    stop = end.value if end is not None else None
    length = max(track.seconds for track in tracks)
    if begin > length:
        raise MediaPlaceError(f"{start} lies behind the end: the file has {length:.3f} s")
    if stop is not None and stop <= begin:
        raise MediaPlaceError(f"the end, {end}, is not behind the start, {start}")
    leading = max(tracks, key=lambda track: (track.is_video, track.samples.count))
    begin = leading.aligned(begin)
    parts = [part for track in tracks if (part := track.part(begin, stop)) is not None]
    if not parts:
        raise MediaPlaceError(f"no sample lies between {start} and {end}")
    wide = index.size + len(index.moov) + limits.MP4_MOOV_BYTES_MAX >= NARROW
    made = [_TrackPart(track, begin, first, last, index.size, wide=wide) for track, first, last in parts]
    lowest, highest = min(each.part.begin for each in made), max(each.part.end for each in made)
    size = highest - lowest
    data = (
        struct.pack(">I4s", size + 8, b"mdat")
        if size + 8 < NARROW
        else struct.pack(">I4sQ", 1, b"mdat", size + 16)
    )
    head = _movie_head(movie, max(each.length for each in made))
    # Boxes of offsets have their length before the offsets are known.
    ahead = len(index.kind) + len(data) + sum(map(len, head)) + sum(each.size for each in made) + 8
    moov = box(b"moov", *head, *(each.box(ahead - lowest) for each in made))
    return Cut(index.kind + moov + data, lowest, size)


class _Track:
    """A track of a movie box. Raises MediaFileError."""

    def __init__(self, trak: Box, scale: int) -> None:
        mdia = trak.child(b"mdia")
        self.trak = trak
        self.movie_scale = scale
        self.is_video = bytes(mdia.child(b"hdlr").content[8:12]) == b"vide"
        header = mdia.child(b"mdhd")
        version = header.fields(">B")[0]
        (self.scale,) = header.fields(">I", 20 if version else 12)
        if not self.scale:
            raise MediaFileError("a track has no time scale")
        self.samples = Samples(mdia.child(b"minf", b"stbl"))
        self.delay, self.media_time = self._edits()

    @property
    def seconds(self) -> float:
        """Where it ends."""
        hidden = 0 if self.samples.is_shifted else self.media_time
        return self._shown(self.samples.times.of(self.samples.count) - hidden + self.media_time)

    def aligned(self, seconds: float) -> float:
        """Return where the part of this track begins that shows *seconds*."""
        return max(self._shown(self.samples.shown(self.samples.start_at(self._media(seconds)))), 0.0)

    def part(self, begin: float, end: float | None) -> tuple[_Track, int, int] | None:
        """Return its first sample at or before *begin* and the one behind the last before *end*, both in seconds; None for none."""
        count = self.samples.count
        if not count or self.seconds <= begin:
            return None
        first = self.samples.start_at(self._media(begin))
        last = count if end is None else min(self.samples.times.at(max(self._media(end) - 1, 0)) + 1, count)
        return (self, first, last) if first < last else None

    def _media(self, seconds: float) -> int:
        """Return the time of composition of what is shown at *seconds*."""
        return round((seconds - self.delay / self.movie_scale) * self.scale) + self.media_time

    def _shown(self, time: int) -> float:
        return (time - self.media_time) / self.scale + self.delay / self.movie_scale

    def _edits(self) -> tuple[int, int]:
        """Return the delay of the track, in the scale of the movie, and the media time that it begins with."""
        edts = next((each for each in self.trak.children() if each.name == b"edts"), None)
        if edts is None:
            return 0, 0
        elst = edts.child(b"elst")
        version, count = elst.fields(">B3xI")
        layout = ">Qqi" if version else ">Iii"
        if count > 2:
            raise MediaFileError(f"an edit list of {count} entries")
        delay = media_time = 0
        for number in range(count):
            length, time, _ = elst.fields(layout, 8 + number * struct.calcsize(layout))
            if time >= 0:
                media_time = time
            elif number == 0:
                delay = length
        return delay, media_time


class _TrackPart:
    """Samples of a track, as a track of a movie that begins at *begin* seconds of the file's."""

    def __init__(self, track: _Track, begin: float, first: int, last: int, size: int, *, wide: bool) -> None:
        """*size*: of the file, bytes."""
        times, scale = track.samples.times, track.movie_scale
        self._track = track
        self._wide = wide
        self._tables, self.part = track.samples.cut(first, last, wide=wide)
        if not 0 < self.part.begin < self.part.end <= size:
            raise MediaFileError(f"its samples lie up to byte {self.part.end}, the file has {size}")
        self._media_length = times.of(last) - times.of(first)
        shift = (
            round(begin * track.scale)
            - track.delay * track.scale // scale
            - times.of(first)
            + track.media_time
        )
        late = 0
        if times.of(first) == 0 or shift < 0:
            late = max(track.delay - round(begin * scale), 0)
            shift = max(shift, track.media_time if late else 0)
        # What is shown late, since others are decoded before it, is not hidden.
        hidden = 0 if track.samples.is_shifted else shift
        length = max((self._media_length - hidden) * scale // track.scale, 1)
        self.length = late + length
        "In the scale of the movie."
        edits = [struct.pack(">Qqi", late, -1, 1 << 16)] if late else []
        edits.append(struct.pack(">Qqi", length, shift, 1 << 16))
        self._edts = box(b"edts", full_box(b"elst", 1, 0, struct.pack(">I", len(edits)), *edits))
        self.size = len(self.box(0))

    def box(self, shift: int) -> bytes:
        """Return the box `trak`, with the offsets of chunks moved by *shift*."""
        parts: list[bytes | memoryview] = []
        for each in self._track.trak.children():
            if each.name == b"tkhd":
                parts += [_with_duration(each, 28 if each.content[0] else 20, self.length), self._edts]
            elif each.name == b"mdia":
                parts.append(box(b"mdia", *self._media(each, shift)))
            elif each.name != b"edts":
                parts.append(each.data)
        return box(b"trak", *parts)

    def _media(self, mdia: Box, shift: int) -> list[bytes | memoryview]:
        parts: list[bytes | memoryview] = []
        for each in mdia.children():
            if each.name == b"mdhd":
                parts.append(_with_duration(each, 24 if each.content[0] else 16, self._media_length))
            elif each.name == b"minf":
                inner = [self._table(shift) if one.name == b"stbl" else one.data for one in each.children()]
                parts.append(box(b"minf", *inner))
            else:
                parts.append(each.data)
        return parts

    def _table(self, shift: int) -> bytes:
        return box(b"stbl", *self._tables, chunk_offsets(self.part.offsets, shift, wide=self._wide))


def _tracks(moov: bytes) -> tuple[Box, list[_Track]]:
    """Read a movie box. Raises MediaFileError where it has no samples."""
    movie = read_boxes(memoryview(moov))[0]
    header = movie.child(b"mvhd")
    version = header.fields(">B")[0]
    (scale,) = header.fields(">I", 20 if version else 12)
    if not scale:
        raise MediaFileError("the movie has no time scale")
    boxes = movie.children()
    if any(each.name == b"mvex" for each in boxes):
        raise MediaFileError("its media is in fragments; ask for ranges of bytes")
    tracks = [_Track(each, scale) for each in boxes if each.name == b"trak"]
    tracks = [track for track in tracks if track.samples.count]
    if not tracks:
        raise MediaFileError("the movie has no samples")
    return movie, tracks


def _movie_head(movie: Box, length: int) -> list[bytes | memoryview]:
    """Return the boxes of a movie that are none of a track."""
    found: list[bytes | memoryview] = []
    for each in movie.children():
        if each.name == b"mvhd":
            found.append(_with_duration(each, 24 if each.content[0] else 16, length))
        elif each.name != b"trak":
            found.append(each.data)
    return found


def _with_duration(header: Box, at: int, duration: int) -> bytes:
    """Return a box with another duration at offset *at* of its content; a version 0 holds 32 bits of it."""
    wide = header.content[0] != 0
    content = bytearray(header.content)
    size = 8 if wide else 4
    if len(content) < at + size:
        raise MediaFileError("a header is too short")
    content[at : at + size] = min(duration, (1 << 8 * size) - 1).to_bytes(size, "big")
    return box(header.name, bytes(content))
