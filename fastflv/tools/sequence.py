"""Clips one behind the other as one publish: times go on, and headers are repeated only when they change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from fastflv._ext.syntax.flvtag import traits
from fastflv.containers.flv.reader import FlvTag
from fastflv.media.codecs import SCRIPT
from fastflv.media.tagflags import COMMAND, CONFIG, NOTES

FRAME_MS: Final = 40
"Assumed length of a last frame without one before it, ms."


def in_sequence(clips: Iterable[Iterable[FlvTag]]) -> Iterator[FlvTag]:
    """Yield the tags of *clips*: the first has time 0, and each clip begins one frame behind the end of the one before.

    Ends with the first clip that has no media, so that a loop over it ends too.
    """
    sent: dict[tuple[int, int, int], bytes] = {}
    start = 0
    for clip in clips:
        first: int | None = None
        last: dict[int, int] = {}
        end = start
        waiting: list[FlvTag] = []
        for tag in clip:
            header = _header_of(tag)
            if header is not None:
                if sent.get(header) != tag.body:
                    sent[header] = tag.body
                    waiting.append(tag)
                continue
            if _is_mark(tag):
                continue
            if tag.kind != SCRIPT and first is None:
                first = tag.time_ms
            if first is None:
                waiting.append(tag)
                continue
            # A header has no time of its own: it stands before what follows it.
            time_ms = start + max(tag.time_ms - first, 0)
            for held in waiting:
                yield held._replace(time_ms=time_ms)
            waiting.clear()
            yield tag._replace(time_ms=time_ms)
            if tag.kind != SCRIPT:
                step = time_ms - last[tag.kind] if tag.kind in last else FRAME_MS
                last[tag.kind] = time_ms
                end = max(end, time_ms + max(step, 1))
        if first is None:
            return
        start = end


def _is_mark(tag: FlvTag) -> bool:
    """The end of a sequence or a mark for seeking, which are of the file alone."""
    return tag.kind != SCRIPT and bool(traits(tag.kind, tag.body)[0] & COMMAND)


def _header_of(tag: FlvTag) -> tuple[int, int, int] | None:
    """What a header replaces; None for what is no header."""
    if tag.kind == SCRIPT:
        return (SCRIPT, 0, 0) if tag.body.startswith(b"\2\0\x0aonMetaData") else None
    flags, _, track = traits(tag.kind, tag.body)
    return (tag.kind, track, flags & NOTES) if flags & (CONFIG | NOTES) else None
