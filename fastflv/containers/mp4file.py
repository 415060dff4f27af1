"""MP4 files as they are recorded: fragments while it goes on, a plain seekable file at the end.

The file begins with `ftyp`, a place of 16 bytes, and a movie for fragments. So a file that a crash leaves plays up to
its last fragment. At the end a movie that lists all samples is appended, and the place becomes the head of one `mdat`
over all that lies between.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from fastflv import limits
from fastflv._ext.syntax.flvtag import make_tag
from fastflv.containers.filewriter import Entry, FileWriter, Patch
from fastflv.containers.fmp4 import movie_of_fragments
from fastflv.containers.fmp4reader import Read, read_fragment, read_tracks, top_boxes
from fastflv.containers.mp4box import box
from fastflv.containers.mp4movie import SampleTable, movie
from fastflv.containers.mp4track import file_type
from fastflv.containers.packer import Mp4Packer
from fastflv.errors import MediaFileError
from fastflv.media.amf.values import Value
from fastflv.media.codecs import VIDEO
from fastflv.media.tagflags import OTHER

PLACE: Final = box(b"free", bytes(8))
"Becomes the head of an `mdat` with a size of 64 bits."


class Mp4FileWriter(FileWriter):
    """One MP4 file: the default track of pictures and of sound."""

    def __init__(
        self, metadata: Mapping[str, Value], headers: Iterable[tuple[int, bytes]], base_ms: int
    ) -> None:
        super().__init__(metadata, base_ms)
        self._packer = Mp4Packer(_size_of(metadata))
        self._packer.take_headers(b"".join(make_tag(kind, 0, body) for kind, body in headers))
        self._changed: set[int] = set()
        "Kinds whose configuration changed: the description of their track does not hold any more."

    def add(self, entries: Iterable[Entry]) -> None:
        packer, base = self._packer, self.base_ms
        for kind, flags, dts_ms, data in entries:
            time_ms = max(dts_ms - base, 0)
            frame = packer.read(kind, flags, time_ms, data)
            self._changed |= packer.changed
            if frame is None or flags & OTHER or kind in self._changed:
                continue
            packer.add(kind, flags, time_ms, frame)
            self.count(kind, time_ms, data)

    def take(self) -> bytes:
        body, _ = self._packer.finish(self.end_of(VIDEO))
        if not body:
            return b""
        if not self.size:
            tracks = self._packer.describe()
            body = file_type(tracks, b"isom") + PLACE + movie_of_fragments(tracks) + body
        self.size += len(body)
        return body

    def finish(self, read: Callable[[int, int], bytes]) -> Iterator[Patch]:
        found = survey(read, self.size)
        yield found.end, found.movie
        self.size = found.end + len(found.movie)
        yield found.place, found.mdat


class Survey(NamedTuple):
    """What completes a file of fragments."""

    end: int
    "Behind the last whole fragment: where the movie belongs."
    movie: bytes
    place: int
    "Where `mdat` belongs."
    mdat: bytes
    "Its head."
    duration: float
    "Seconds."


def survey(read: Read, size: int) -> Survey:
    """Read the fragments of a recording of *size* bytes. Raises MediaFileError for a file that is no such recording."""
    place, end = -1, 0
    tables: dict[int, SampleTable] = {}
    moof = None
    for each in top_boxes(read):
        if each.name == b"free" and each.size == len(PLACE) and place < 0:
            place = each.at
        if each.end > size:
            break
        if each.name == b"moov":
            if each.size > limits.MP4_MOVIE_BYTES_MAX:
                raise MediaFileError(f"a movie of {each.size} bytes")
            tracks = read_tracks(read(each.at + each.head, each.size - each.head))
            tables = {number: SampleTable(track) for number, track in tracks.items()}
        elif each.name == b"moof":
            moof = each
        elif each.name == b"mdat" and moof is not None:
            if moof.size > limits.MP4_MOVIE_BYTES_MAX:
                raise MediaFileError(f"a fragment of {moof.size} bytes")
            read_fragment(tables, read(moof.at + moof.head, moof.size - moof.head), moof.at)
            moof, end = None, each.end
    if place < 0 or not any(map(len, tables.values())):
        raise MediaFileError("no fragments of a recording")
    length = max(
        (table.end - table.times[0]) / table.track.timescale for table in tables.values() if len(table)
    )
    head = struct.pack(">I4sQ", 1, b"mdat", end - place)
    return Survey(end, movie(tables.values()), place, head, length)


def _size_of(metadata: Mapping[str, Value]) -> tuple[int, int]:
    """Return width and height as metadata has them, pixels; 0 when absent."""
    values = (metadata.get(name) for name in ("width", "height"))
    width, height = (int(v) if isinstance(v, float) and 0 < v < 65536 else 0 for v in values)
    return width, height
