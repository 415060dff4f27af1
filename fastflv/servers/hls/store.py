"""Segment stores: what a muxer asks of the place that holds its segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fastflv.servers.hls.files import FileMark


@dataclass(frozen=True, slots=True, eq=False)
class StoredBytes:
    """A segment or initialisation section in memory."""

    body: bytes


@dataclass(frozen=True, slots=True, eq=False)
class StoredFile:
    """A segment or initialisation section on disk. Each write makes a new object, also under an old path."""

    path: str
    "Path in the file system."

    size: int
    "Length, bytes."

    mark: FileMark


Stored = StoredBytes | StoredFile


class SegmentStore(Protocol):
    """Holds the segments of one stream. Paths are those of `HlsNames`: relative, without a leading slash."""

    @property
    def on_demand(self) -> bool:
        """Whether segments are made only while viewers ask; otherwise from the first publish on."""

    @property
    def is_full(self) -> bool:
        """Whether the store holds more than its limit, so that the oldest segment has to be evicted."""

    def fetch(self, path: str) -> Stored | None:
        """Return a stored segment or initialisation section; None for an unknown path."""

    async def write(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Store files in this order. Raises OSError; then the last ones are not stored."""

    async def write_playlist(self, text: str) -> None:
        """Store the playlist. Raises OSError."""

    async def read_playlist(self) -> str:
        """Return the playlist of an earlier process; empty without one."""

    async def restore(self, paths: Iterable[str]) -> Mapping[str, int]:
        """Take over the files of an earlier process; return the size in bytes of those that exist."""

    def drop(self, paths: Iterable[str], *, delete: bool) -> None:
        """Stop serving files; *delete*: also remove them from the disk."""

    def remove_all(self) -> None:
        """Drop and delete every file of the stream, the playlist included."""

    def close(self) -> None:
        """Forget all files without deleting any."""
