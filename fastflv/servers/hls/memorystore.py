"""Segments in memory, made while viewers ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fastflv import limits
from fastflv.servers.hls.store import StoredBytes


class MemoryStore:
    """A `SegmentStore` in memory. No operation waits or fails."""

    on_demand = True

    def __init__(self) -> None:
        self._files: dict[str, StoredBytes] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._files)

    @property
    def is_full(self) -> bool:
        return self._bytes > limits.HLS_MEMORY_BYTES

    def fetch(self, path: str) -> StoredBytes | None:
        return self._files.get(path)

    async def write(self, files: Sequence[tuple[str, bytes]]) -> None:
        for path, body in files:
            self.drop([path])
            self._files[path] = StoredBytes(body)
            self._bytes += len(body)

    async def write_playlist(self, text: str) -> None:
        """Nothing to do: the muxer holds the text."""

    async def read_playlist(self) -> str:
        return ""

    async def restore(self, paths: Iterable[str]) -> Mapping[str, int]:
        return {}

    def drop(self, paths: Iterable[str], *, delete: bool = True) -> None:
        for path in paths:
            stored = self._files.pop(path, None)
            if stored is not None:
                self._bytes -= len(stored.body)

    def remove_all(self) -> None:
        self.close()

    def close(self) -> None:
        self._files.clear()
        self._bytes = 0
