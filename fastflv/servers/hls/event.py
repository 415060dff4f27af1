"""A segment that is stored and listed, for hooks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastflv.access.request import AccessRequest


@dataclass(frozen=True, slots=True)
class SegmentEvent:
    """One segment. Paths are those of URLs, without a leading slash."""

    publisher: AccessRequest
    stream_id: str
    path: str
    playlist: str
    folder: str
    "Directory on disk that both paths stand below; empty where segments are in memory."

    uri: str
    "As the playlist has it."

    number: int
    duration_ms: int


Watcher = Callable[[SegmentEvent], None]
