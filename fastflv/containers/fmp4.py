"""Fragmented MP4: an initialisation section for the tracks, then fragments of samples.

Spec: ISO 14496-12, 8.2 to 8.8 (movie, tracks, fragments); RFC 8216, 3.3 (fragmented MP4 in HLS).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastflv.containers.mp4box import box, full_box
from fastflv.containers.mp4entry import Mp4Track
from fastflv.containers.mp4track import TRACK_IDS, file_type, movie_header, track_box
from fastflv.media.codecs import VIDEO

SYNC = 0x0200_0000
"Sample flags: depends on no other."
INTER = 0x0101_0000
"Depends on others, and is none to start from."
DISPOSABLE = 0x0181_0000
"Likewise, and none depends on it."

_BASE_IS_MOOF, _DEFAULT_FLAGS = 0x02_0000, 0x20
_OFFSET, _DURATION, _SIZE, _FLAGS, _COMPOSITION = 0x1, 0x100, 0x200, 0x400, 0x800


@dataclass(frozen=True, slots=True)
class Sample:
    """One coded frame; times in ticks of its track."""

    duration: int
    data: bytes
    flags: int = SYNC
    composition: int = 0
    "Presentation time minus decode time, may be negative."


@dataclass(frozen=True, slots=True)
class Run:
    """Samples of one track that follow each other without a gap."""

    track: Mp4Track
    start: int
    "Decode time of the first, ticks from the begin of the stream."
    samples: Sequence[Sample]


def init_section(tracks: Iterable[Mp4Track]) -> bytes:
    """Return what a player needs before any fragment: file type and movie without samples."""
    ordered = sorted(tracks, key=lambda track: TRACK_IDS[track.kind])
    return file_type(ordered) + movie_of_fragments(ordered)


def movie_of_fragments(tracks: Iterable[Mp4Track]) -> bytes:
    """Return the `moov` box of tracks whose samples are all in fragments."""
    extends = []
    boxes = []
    for track in tracks:
        extends.append(full_box(b"trex", 0, 0, struct.pack(">IIIII", TRACK_IDS[track.kind], 1, 0, 0, 0)))
        empty = (
            full_box(b"stts", 0, 0, bytes(4)),
            full_box(b"stsc", 0, 0, bytes(4)),
            full_box(b"stsz", 0, 0, bytes(8)),
            full_box(b"stco", 0, 0, bytes(4)),
        )
        boxes.append(track_box(track, *empty))
    return box(b"moov", movie_header(), *boxes, box(b"mvex", *extends))


def fragment(sequence: int, runs: Iterable[Run]) -> bytes:
    """Return one movie fragment with its media data. *sequence* counts up from 1 (modulo 2**32)."""
    ordered = sorted((run for run in runs if run.samples), key=lambda run: TRACK_IDS[run.track.kind])
    header = full_box(b"mfhd", 0, 0, struct.pack(">I", sequence & 0xFFFF_FFFF))
    tables = [_sample_table(run) for run in ordered]
    # Offsets count from the start of the moof; its size does not depend on their values.
    size = len(box(b"moof", header, *map(_fragment_track, ordered, tables)))
    offset = size + 8
    parts = []
    for run, table in zip(ordered, tables, strict=True):
        parts.append(_fragment_track(run, table, offset))
        offset += sum(len(sample.data) for sample in run.samples)
    data = [sample.data for run in ordered for sample in run.samples]
    return b"".join([box(b"moof", header, *parts), struct.pack(">I4s", offset - size, b"mdat"), *data])


def _sample_table(run: Run) -> bytes:
    if run.track.kind == VIDEO:
        return b"".join(
            struct.pack(">IIIi", sample.duration, len(sample.data), sample.flags, sample.composition)
            for sample in run.samples
        )
    return b"".join(struct.pack(">II", sample.duration, len(sample.data)) for sample in run.samples)


def _fragment_track(run: Run, table: bytes, offset: int = 0) -> bytes:
    video = run.track.kind == VIDEO
    flags = _BASE_IS_MOOF if video else _BASE_IS_MOOF | _DEFAULT_FLAGS
    fields = struct.pack(">I", TRACK_IDS[run.track.kind]) + (b"" if video else struct.pack(">I", SYNC))
    present = _OFFSET | _DURATION | _SIZE | (_FLAGS | _COMPOSITION if video else 0)
    return box(
        b"traf",
        full_box(b"tfhd", 0, flags, fields),
        full_box(b"tfdt", 1, 0, struct.pack(">Q", run.start)),
        full_box(b"trun", 1, present, struct.pack(">Ii", len(run.samples), offset), table),
    )
