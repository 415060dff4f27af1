"""The recordings below one directory. Blocks: threads call it."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from fastflv import limits
from fastflv.containers.flv.header import BACK_POINTER_BYTES, HEADER_BYTES
from fastflv.containers.flv.metadata import script_fields
from fastflv.containers.flv.reader import walk_tags
from fastflv.containers.fmp4reader import find, read_tracks, top_boxes
from fastflv.errors import FlvError
from fastflv.media.codecs import AUDIO, SCRIPT, VIDEO, codec_name
from fastflv.record.options import ENDINGS
from fastflv.record.output import TEMPORARY


class Found(NamedTuple):
    """A file of the directory."""

    path: str
    "Relative to the directory."
    size: int
    changed: float
    "Seconds since 1970."


@dataclass(frozen=True, slots=True)
class Described:
    """A file, and what is in it."""

    found: Found
    duration: float = 0.0
    "Seconds; 0 where it does not say."
    codecs: tuple[str, ...] = ()


def list_recordings(root: str, start: int, count: int) -> tuple[list[Described], int]:
    """Return *count* recordings below *root*, the newest first, from number *start* on; and how many there are."""
    found = sorted(islice(_walk(root), limits.RECORD_LIST_MAX), key=lambda each: (-each.changed, each.path))
    return [_describe(root, each) for each in found[start : start + count]], len(found)


def remove_recording(root: str, path: str) -> bool:
    """Delete the recording at *path* below *root*; False where there is none. Raises OSError."""
    full = locate(root, path)
    if full is None:
        return False
    os.unlink(full)
    return True


def locate(root: str, path: str) -> str | None:
    """Return the full path of a recording below *root*; None for whatever else *path* may be."""
    parts = path.split("/")
    if not path.removesuffix(TEMPORARY).endswith(ENDINGS) or any(
        part in ("", ".", "..") or "\0" in part or "\\" in part for part in parts
    ):
        return None
    base = os.path.realpath(root)
    full = os.path.join(base, path)
    try:
        # No link leads to another file.
        if os.path.realpath(full) != full or not stat.S_ISREG(os.lstat(full).st_mode):
            return None
    except (OSError, ValueError):
        return None
    return full


def _walk(root: str) -> Iterable[Found]:
    for folder, _, names in os.walk(root):
        for name in names:
            if not name.removesuffix(TEMPORARY).endswith(ENDINGS):
                continue
            full = os.path.join(folder, name)
            try:
                status = os.lstat(full)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield Found(os.path.relpath(full, root), status.st_size, status.st_mtime)


def _describe(root: str, found: Found) -> Described:
    try:
        with open(os.path.join(root, found.path), "rb") as file:
            fd = file.fileno()
            if found.path.removesuffix(TEMPORARY).endswith(".mp4"):
                duration, codecs = _read_mp4(fd)
            else:
                duration, codecs = _read_flv(os.pread(fd, limits.RECORD_HEAD_BYTES_MAX, 0))
    except (OSError, FlvError, struct.error, IndexError):
        return Described(found)
    return Described(found, duration, codecs)


def _read_flv(data: bytes) -> tuple[float, tuple[str, ...]]:
    for tag, _ in walk_tags(data, HEADER_BYTES + BACK_POINTER_BYTES):
        if tag.kind != SCRIPT:
            break
        fields = script_fields(tag.body) or {}
        codecs = []
        for kind, name in ((VIDEO, "videocodecid"), (AUDIO, "audiocodecid")):
            number = fields.get(name)
            if isinstance(number, float) and (known := codec_name(kind, int(number))):
                codecs.append(known)
        duration = fields.get("duration")
        return (duration if isinstance(duration, float) else 0.0), tuple(codecs)
    return 0.0, ()


def _read_mp4(fd: int) -> tuple[float, tuple[str, ...]]:
    for each in top_boxes(lambda offset, size: os.pread(fd, size, offset)):
        if each.name != b"moov" or each.size > limits.MP4_MOVIE_BYTES_MAX:
            continue
        movie = os.pread(fd, each.size - each.head, each.at + each.head)
        header = find(movie, b"mvhd")
        ticks, length = struct.unpack_from(">IQ" if header[0] else ">II", header, 20 if header[0] else 12)
        codecs = tuple(_codec_of(track.entry[4:8]) for track in read_tracks(movie).values())
        return length / max(ticks, 1), codecs
    return 0.0, ()


def _codec_of(entry: bytes) -> str:
    """Return the codec by the name of a sample entry, which is the FourCC of Enhanced RTMP too."""
    number = int.from_bytes(entry, "big")
    return codec_name(VIDEO, number) or codec_name(AUDIO, number)
