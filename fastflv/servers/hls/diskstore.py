"""Segments as files, as SRS writes them: made from the first publish on, whether viewers ask or not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from fastflv import limits
from fastflv.containers.playlist import QUERY
from fastflv.net.filepool import FileShare
from fastflv.servers.hls.files import FileMark, find_files, read_text, remove_files, write_file
from fastflv.servers.hls.store import StoredFile

Result = TypeVar("Result")


class Disk:
    """What the disk stores of a server share: the threads, and which store wrote a file last.

    After a reload two stores may use the same folder: one completes a playlist while the other begins. A store
    never overwrites the playlist of a newer store, and never deletes its files. Calls for one path follow each other: a
    thread that is late deletes nothing that was written since. Files of another process have other marks.
    """

    def __init__(self, files: FileShare) -> None:
        self.run = files.run
        "Calls a blocking function on a thread."
        self.owners: dict[str, DiskStore] = {}
        "By path in the file system."
        self._loop = files.loop
        self._turns: dict[str, asyncio.Future[None]] = {}
        "By path: the newest call, done or not begun."
        self._removals: set[asyncio.Task[None]] = set()

    async def in_turn(self, paths: Sequence[str], function: Callable[..., Result], *args: object) -> Result:
        """Call *function* on a thread, behind the calls that were begun for *paths* before."""
        before = {self._turns[path] for path in paths if path in self._turns}
        turn = self._loop.create_future()
        self._turns.update(dict.fromkeys(paths, turn))
        try:
            if before:
                await asyncio.wait(before)
            return await self.run(function, *args)
        finally:
            turn.set_result(None)
            for path in paths:
                if self._turns.get(path) is turn:
                    del self._turns[path]

    def remove(self, root: str, files: Mapping[str, FileMark]) -> None:
        """Delete files below *root* in their turn."""
        paths = [os.path.join(root, path) for path in files]
        removal = self._loop.create_task(self.in_turn(paths, remove_files, root, files))
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)

    async def removed(self) -> None:
        """Wait until the files are gone that are being deleted now."""
        if self._removals:
            await asyncio.wait(self._removals)


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
        self._playlist_mark: FileMark | None = None
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
            mark = await self._disk.in_turn([full], write_file, full, body)
            self._files[path] = StoredFile(full, len(body), mark)

    async def write_playlist(self, text: str) -> None:
        full = self._full(self._playlist)
        if self._disk.owners.get(full) is self:
            body = text.replace(QUERY, "").encode()
            self._playlist_mark = await self._disk.in_turn([full], write_file, full, body)

    async def read_playlist(self) -> str:
        full = self._full(self._playlist)
        text, mark = await self._disk.in_turn([full], read_text, full, limits.HLS_PLAYLIST_BYTES_MAX)
        self._playlist_mark = mark
        return text

    async def restore(self, paths: Iterable[str]) -> Mapping[str, int]:
        wanted = list(paths)
        found = await self._disk.in_turn([*map(self._full, wanted)], find_files, self._root, wanted)
        for path, (size, mark) in found.items():
            self._claim(path)
            self._files[path] = StoredFile(self._full(path), size, mark)
        return {path: size for path, (size, _) in found.items()}

    def drop(self, paths: Iterable[str], *, delete: bool) -> None:
        owned = {}
        for path in paths:
            stored = self._files.pop(path, None)
            mark = self._playlist_mark if path == self._playlist else stored and stored.mark
            if self._release(path) and mark:
                owned[path] = mark
        if delete and owned:
            self._disk.remove(self._root, owned)

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
