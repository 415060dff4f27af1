"""Repair of recordings that a crash has left: whole tags or fragments are kept, metadata and index are written.

The file is written anew beside the old one, which is replaced by the finished one alone. Blocks: tools call it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import NamedTuple

from fastflv import limits
from fastflv._ext.syntax.tagwalk import TagWalk
from fastflv.containers.filewriter import Patch
from fastflv.containers.flv.filehead import FRAME_BYTES, file_head, room_for
from fastflv.containers.flv.header import HEADER_BYTES, TAG_HEADER_BYTES, read_header
from fastflv.containers.flv.keyindex import KeyIndex
from fastflv.containers.flv.metadata import script_fields
from fastflv.containers.mp4file import survey
from fastflv.errors import FlvHeaderError, MediaFileError
from fastflv.media.amf.values import Value
from fastflv.media.codecs import SCRIPT, VIDEO
from fastflv.media.tagflags import KEY
from fastflv.record.output import TEMPORARY

BESIDE = ".repair"
"Behind the name of the file that is being written."


class Repaired(NamedTuple):
    """What became of a file."""

    path: str
    size: int
    "Bytes."
    duration_ms: int
    cut: int
    "Bytes of a torn end that were left out."


class _Plan(NamedTuple):
    """A new file: *head*, the bytes [begin, end) of the old one, *tail*, then *patches*."""

    head: bytes
    begin: int
    end: int
    tail: bytes
    patches: tuple[Patch, ...]
    duration_ms: int


def repair(path: str) -> Repaired:
    """Repair the FLV or MP4 file at *path*; `NAME.tmp` becomes `NAME`.

    Raises OSError, MediaFileError or FlvHeaderError; then the file is as it was.
    """
    target = path.removesuffix(TEMPORARY)
    if target != path and os.path.lexists(target):
        raise FileExistsError(17, "the finished file is there already", target)
    with open(path, "rb") as file:
        fd = file.fileno()
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(error.errno, "the file is being recorded", path) from None
        size = os.fstat(fd).st_size
        begins = os.pread(fd, 8, 0)
        plan = _plan_mp4(fd, size) if begins[4:8] == b"ftyp" else _plan_flv(fd, size)
        _write(target + BESIDE, fd, plan)
        os.rename(target + BESIDE, target)
    if target != path:
        os.unlink(path)
    return Repaired(target, os.path.getsize(target), plan.duration_ms, size - plan.end)


def _write(path: str, source: int, plan: _Plan) -> None:
    """Write the new file at *path*; no half of it stays after an error."""
    try:
        with open(path, "wb") as file:
            file.write(plan.head)
            at = plan.begin
            while at < plan.end:
                data = os.pread(source, min(limits.REPAIR_BLOCK_BYTES, plan.end - at), at)
                if not data:
                    raise MediaFileError("the file became shorter", offset=at)
                file.write(data)
                at += len(data)
            file.write(plan.tail)
            for offset, data in plan.patches:
                file.seek(offset)
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise


def _plan_mp4(fd: int, size: int) -> _Plan:
    found = survey(lambda offset, count: os.pread(fd, count, offset), size)
    patches = ((found.place, found.mdat),)
    return _Plan(b"", 0, found.end, found.movie, patches, round(1000 * found.duration))


def _plan_flv(fd: int, size: int) -> _Plan:
    data = os.pread(fd, HEADER_BYTES, 0)
    if len(data) < HEADER_BYTES:
        raise FlvHeaderError("the file ends within the FLV header", offset=0)
    _, begin = read_header(data)
    walk = TagWalk(size, begin)
    walk.audio_step_ms = -1
    metadata: dict[str, Value] | None = None
    keys: list[tuple[int, int]] = []
    for offset, kind, flags, _, time_ms, length in _marks(fd, walk):
        if kind == SCRIPT and offset == begin and metadata is None:
            # None: the crash came within its write.
            metadata = (
                script_fields(os.pread(fd, length - TAG_HEADER_BYTES - 4, offset + TAG_HEADER_BYTES)) or {}
            )
            begin += length
        elif kind == VIDEO and flags & KEY:
            keys.append((time_ms, offset))
    if not (walk.has_audio or walk.has_video):
        raise MediaFileError("there is no whole frame in it", offset=begin)
    index = KeyIndex(limits.RECORD_KEYS_MAX)
    for time_ms, offset in keys:
        index.add(time_ms, offset)
    room = room_for(metadata or {}, len(index))
    shift = FRAME_BYTES + room - begin
    for at in range(len(index)):
        index.positions[at] += shift
    head = file_head(
        metadata or {},
        audio=walk.has_audio,
        video=walk.has_video,
        duration_ms=walk.time_ms,
        size=walk.position + shift,
        keys=index,
        room=room,
    )
    return _Plan(head, begin, walk.position, b"", (), walk.time_ms)


def _marks(fd: int, walk: TagWalk) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Walk over the whole tags of a file; yield those worth a note."""
    begin = 0
    while True:
        before = walk.position
        yield from walk.feed(os.pread(fd, limits.REPAIR_BLOCK_BYTES, begin), begin)
        if walk.state != "more" or walk.position == before:
            return
        begin = walk.position - 4
