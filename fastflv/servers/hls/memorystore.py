"""Segments in memory, made while viewers ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fastflv import limits
from fastflv.servers.hls.store import StoredBytes


class SharedMemory:
    """What the memory stores of a server hold together."""

    def __init__(self) -> None:
        self.bytes = 0


class MemoryStore:
    """A `SegmentStore` in memory. No operation waits or fails."""

    on_demand = True

    def __init__(self, shared: SharedMemory) -> None:
        self._shared = shared
        self._files: dict[str, StoredBytes] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._files)

    @property
    def is_full(self) -> bool:
        return self._bytes > limits.HLS_MEMORY_BYTES or self._shared.bytes > limits.HLS_SERVER_BYTES

    def fetch(self, path: str) -> StoredBytes | None:
        return self._files.get(path)

    async def write(self, files: Sequence[tuple[str, bytes]]) -> None:
        for path, body in files:
            self.drop([path])
            self._files[path] = StoredBytes(body)
            self._add(len(body))

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
                self._add(-len(stored.body))

    def remove_all(self) -> None:
        self.close()

    def close(self) -> None:
        self._files.clear()
        self._add(-self._bytes)

    def _add(self, size: int) -> None:
        self._bytes += size
        self._shared.bytes += size
