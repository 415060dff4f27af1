"""A clip as a file in memory. Blocks: threads make it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from fastflv import limits
from fastflv._ext.log.excerpt import Excerpt
from fastflv.containers.filewriter import Entry, Patch
from fastflv.containers.flv.filewriter import FlvFileWriter
from fastflv.containers.flv.metadata import script_fields
from fastflv.containers.flv.reader import walk_tags
from fastflv.containers.mp4file import Mp4FileWriter
from fastflv.containers.segmentfile import SegmentFileWriter
from fastflv.containers.tsfile import TsFileWriter
from fastflv.media.codecs import SCRIPT, VIDEO
from fastflv.media.tagflags import DISPOSABLE, LEADING, NOTES
from fastflv.net.filepool import write_whole


class ClipWriter(Protocol):
    """Makes the bytes of a file of entries."""

    def add(self, entries: Iterable[Entry], /) -> None: ...

    def take(self) -> bytes:
        """Return the bytes to append."""

    def finish(self, read: Callable[[int, int], bytes], /) -> Iterator[Patch]:
        """Yield offsets, and what is written there."""


def write_clip(container: str, excerpt: Excerpt) -> int:
    """Write *excerpt* as a file; return its descriptor, which belongs to the caller. Raises OSError without memory."""
    return write_excerpt(excerpt, writer_of(excerpt, container), leads=True)


def write_segment(
    excerpt: Excerpt, end_ms: int, kinds: tuple[int, ...], size: tuple[int, int], *, init: bool
) -> int:
    """Likewise as a segment of HLS, or as its initialisation section. The parameters are those of `SegmentFileWriter`."""
    headers = [(tag.kind, tag.body) for tag, _ in walk_tags(excerpt.headers)]
    writer = SegmentFileWriter(headers, end_ms, kinds, size, init=init)
    return write_excerpt(excerpt, writer, leads=False)


def write_excerpt(excerpt: Excerpt, writer: ClipWriter, *, leads: bool) -> int:
    """Write *excerpt* with *writer*. *leads*: without the leading pictures of its first keyframe."""
    fd = os.memfd_create("clip", os.MFD_CLOEXEC)
    try:
        while entries := excerpt.take(limits.CLIP_STEP_BYTES):
            # Metadata has time 0 in a file, and stands in its head.
            entries = [entry for entry in entries if entry[0] != SCRIPT or not entry[1] & NOTES]
            if leads:
                entries, leads = without_leading(entries)
            writer.add(entries)
            write_whole(fd, writer.take())
        patches = writer.finish(lambda offset, size: os.pread(fd, size, offset))
        write_whole(fd, writer.take())
        for offset, data in patches:
            os.lseek(fd, offset, os.SEEK_SET)
            write_whole(fd, data)
    except BaseException:
        os.close(fd)
        raise
    finally:
        excerpt.close()
    return fd


def writer_of(excerpt: Excerpt, container: str) -> ClipWriter:
    """Return what writes the file of *excerpt*."""
    tags = [(tag.kind, tag.body) for tag, _ in walk_tags(excerpt.headers)]
    headers = [(kind, body) for kind, body in tags if kind != SCRIPT]
    metadata = next((script_fields(body) for kind, body in tags if kind == SCRIPT), None) or {}
    if container == "ts":
        return TsFileWriter(headers, excerpt.first_ms)
    if container == "mp4":
        return Mp4FileWriter(metadata, headers, excerpt.first_ms)
    return FlvFileWriter(metadata, headers, excerpt.first_ms, keys=excerpt.keys)


def without_leading(entries: list[Entry]) -> tuple[list[Entry], bool]:
    """Leave out the leading pictures of the first keyframe, which refer to what is not in the clip.

    Return the others, and whether such pictures may follow.
    """
    kept = []
    for at, entry in enumerate(entries):
        kind, flags = entry[:2]
        if kind == VIDEO and flags & LEADING:
            continue
        kept.append(entry)
        if kind == VIDEO and not flags & ~DISPOSABLE:
            return kept + entries[at + 1 :], False
    return kept, True
