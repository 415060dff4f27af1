"""Segments as files, as SRS writes them: made from the first publish on, whether viewers ask or not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from fastflv import limits
from fastflv.containers.playlist import QUERY
from fastflv.net.filepool import FileShare
from fastflv.servers.hls.files import file_sizes, read_text, remove_files, write_file
from fastflv.servers.hls.store import StoredFile


class Disk:
    """What the disk stores of a server share: the threads, and which store wrote a file last.

    After a reload two stores may use the same folder: one completes a playlist while the other begins. A store
    never overwrites the playlist of a newer store, and never deletes its files.
    """

    def __init__(self, files: FileShare) -> None:
        self.run = files.run
        "Calls a blocking function on a thread."
        self.owners: dict[str, DiskStore] = {}
        "By path in the file system."


class DiskStore:
    """A `SegmentStore` below the directory *root*.

    *playlist*: path of the playlist file below it; empty for a store of keys, which has none.
    """

    on_demand = False
    is_full = False

    def __init__(self, disk: Disk, root: str, playlist: str = "") -> None:
        self._disk = disk
        self._root = root
        self._playlist = playlist
        self._files: dict[str, StoredFile] = {}
        if playlist:
            self._claim(playlist)

    def __len__(self) -> int:
        return len(self._files)

    def fetch(self, path: str) -> StoredFile | None:
        return self._files.get(path)

    async def write(self, files: Sequence[tuple[str, bytes]]) -> None:
        for path, body in files:
            # A path may recur: without recovery numbers begin at 0 again, and a template need hold no number.
            self._files.pop(path, None)
            self._claim(path)
            full = self._full(path)
            await self._disk.run(write_file, full, body)
            self._files[path] = StoredFile(full, len(body))

    async def write_playlist(self, text: str) -> None:
        full = self._full(self._playlist)
        if self._disk.owners.get(full) is self:
            await self._disk.run(write_file, full, text.replace(QUERY, "").encode())

    async def read_playlist(self) -> str:
        return await self._disk.run(read_text, self._full(self._playlist), limits.HLS_PLAYLIST_BYTES_MAX)

    async def restore(self, paths: Iterable[str]) -> Mapping[str, int]:
        found = await self._disk.run(file_sizes, self._root, list(paths))
        for path, size in found.items():
            self._claim(path)
            self._files[path] = StoredFile(self._full(path), size)
        return found

    def drop(self, paths: Iterable[str], *, delete: bool) -> None:
        owned = []
        for path in paths:
            self._files.pop(path, None)
            if self._release(path):
                owned.append(path)
        if delete and owned:
            self._disk.run(remove_files, self._root, owned)

    def remove_all(self) -> None:
        self.drop(self._paths(), delete=True)

    def close(self) -> None:
        for path in self._paths():
            self._release(path)
        self._files.clear()

    def _paths(self) -> list[str]:
        return [self._playlist, *self._files] if self._playlist else list(self._files)

    def _full(self, path: str) -> str:
        return os.path.join(self._root, path)

    def _claim(self, path: str) -> None:
        self._disk.owners[self._full(path)] = self

    def _release(self, path: str) -> bool:
        """Give up a path; return whether this store had written it last."""
        owners, full = self._disk.owners, self._full(path)
        if owners.get(full) is not self:
            return False
        del owners[full]
        return True
