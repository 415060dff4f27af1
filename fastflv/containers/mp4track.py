"""Boxes that movies with and without fragments share: file type, movie header, track.

Spec: ISO 14496-12, 4.3 and 8.2 to 8.6.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from fastflv.containers.mp4box import UNITY, box, full_box
from fastflv.containers.mp4entry import Mp4Track
from fastflv.media.codecs import AUDIO, VIDEO

TRACK_IDS = {VIDEO: 1, AUDIO: 2}
MOVIE_TICKS = 1000
"Ticks a second of the movie."


def file_type(tracks: Iterable[Mp4Track], *brands: bytes) -> bytes:
    """Return the `ftyp` box; *brands* are further ones that the file conforms to."""
    codecs = [b"av01" for track in tracks if track.codec == "AV1"]
    return box(b"ftyp", b"iso6\0\0\0\1", b"iso6", b"mp41", *brands, *codecs)


def movie_header(duration: int = 0) -> bytes:
    """Return the `mvhd` box. *duration*: of the longest track, ms; 0 where fragments have it."""
    fields = _times(duration, struct.pack(">I", MOVIE_TICKS))
    return full_box(
        b"mvhd", _version(duration), 0, fields, struct.pack(">IH10x", 0x10000, 0x100), UNITY, bytes(24),
        struct.pack(">I", 1 + max(TRACK_IDS.values())),
    )  # fmt: skip


def track_box(
    track: Mp4Track, *tables: bytes, duration: int = 0, media_duration: int = 0, edits: bytes = b""
) -> bytes:
    """Return the `trak` box of *tables*, which stand behind the sample description.

    *duration*: in ticks of the movie; *media_duration*: in those of the track; *edits*: an `edts` box.
    """
    video = track.kind == VIDEO
    header = full_box(
        b"tkhd", _version(duration), 3, _times(duration, struct.pack(">I4x", TRACK_IDS[track.kind])),
        struct.pack(">8xHHH2x", 0, 0, 0 if video else 0x100), UNITY,
        struct.pack(">II", track.width << 16 & 0xFFFF_FFFF, track.height << 16 & 0xFFFF_FFFF),
    )  # fmt: skip
    language = 0x55C4  # undetermined
    media = full_box(
        b"mdhd", _version(media_duration), 0, _times(media_duration, struct.pack(">I", track.timescale)),
        struct.pack(">HH", language, 0),
    )  # fmt: skip
    name = (b"vide", b"Video\0") if video else (b"soun", b"Sound\0")
    handler = full_box(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, name[0]), name[1])
    kind = full_box(b"vmhd", 0, 1, bytes(8)) if video else full_box(b"smhd", 0, 0, bytes(4))
    here = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1)))
    table = box(b"stbl", full_box(b"stsd", 0, 0, struct.pack(">I", 1), track.entry), *tables)
    return box(b"trak", header, edits, box(b"mdia", media, handler, box(b"minf", kind, here, table)))


def _version(duration: int) -> int:
    return int(duration >> 32 > 0)


def _times(duration: int, between: bytes) -> bytes:
    """Creation and modification, which are not told, *between*, and a duration: 64 bits where 32 are too few."""
    if _version(duration):
        return bytes(16) + between + struct.pack(">Q", duration)
    return bytes(8) + between + struct.pack(">I", duration)
