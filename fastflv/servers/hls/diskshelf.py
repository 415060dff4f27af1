"""The segments of one stream as files: made from the first publish on, whether somebody asks or not."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastflv import limits
from fastflv.config.model.hls import HlsOnError
from fastflv.containers.playlist import Playlist, read_playlist
from fastflv.containers.segmenter import Segment
from fastflv.servers.hls.files import FileCache, read_file, read_text, remove_files, write_file
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.hls.shelf import Kept, Shelf, plain
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream

log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(slots=True)
class Disk:
    """What all shelves of a server share to get at their files."""

    executor: Executor
    cache: FileCache
    drop_publisher: Callable[[Stream], None]
    reads: dict[str, asyncio.Future[bytes]] = field(default_factory=dict)
    "Files that are being read now."


class DiskShelf(Shelf):
    """A shelf whose segments are files below `options.folder`, as SRS writes them."""

    on_demand = False

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hub: Hub,
        name: StreamName,
        options: HlsOptions,
        on_closed: Callable[[Shelf], None],
        disk: Disk,
    ) -> None:
        super().__init__(loop, hub, name, options, on_closed)
        self._playlist = self._new_playlist(0)
        self._disk = disk
        self._paths: set[str] = set()
        "Files that are there."
        self._queue: deque[Segment | None] = deque()
        "Segments to be written; None: the playlist has ended."
        self._writing: asyncio.Task[None] | None = None
        self._fresh = True
        "What an earlier process wrote was not looked at yet."
        self._failing = False

    def fetch(self, path: str) -> bytes | asyncio.Future[bytes] | None:
        if path not in self._paths:
            return None
        full = self._full(path)
        body = self._disk.cache.find(full)
        if body is not None:
            return body
        read = self._disk.reads.get(full)
        if read is None:
            read = self._disk.reads[full] = self._loop.run_in_executor(self._disk.executor, read_file, full)
            read.add_done_callback(lambda read: self._has_read(full, read))
        return read

    async def written(self) -> None:
        """Wait until all that was to be written is."""
        while self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])

    # --- the stream ---

    def _open(self, stream: Stream) -> None:
        if self._fresh and self.options.recover:
            self._start(self._recover(stream))
        else:
            super()._open(stream)
        self._fresh = False

    def end(self) -> None:
        self.pause()
        self.stream = None
        self._queue.append(None)
        self._write()

    def stop(self) -> None:
        """The server stops: a playlist that is to be gone on with stays open, another ends."""
        if self.stream is None:
            return
        if self.options.recover:
            self.pause()
            self.stream = None
        else:
            self.end()

    def close(self) -> None:
        self._queue.clear()
        super().close()

    async def _recover(self, stream: Stream) -> None:
        """Go on with the playlist that an earlier process left."""
        text = await self._run(read_text, self._full(self.path), limits.HLS_PLAYLIST_BYTES_MAX)
        old = read_playlist(text, self.options.window_ms) if text else None
        if old is not None and not self.closed:
            log.info("hls of %s goes on behind segment %d", self.name.url, old.next - 1)
            self._take_over(old)
            if text.rstrip().endswith("#EXT-X-ENDLIST"):
                self._begin_anew()
            else:
                self.text = old.text()
        super()._open(stream)
        await self._write_all()

    def _take_over(self, old: Playlist) -> None:
        names = self.options.names
        for entry in old.entries:
            path, init_path = (
                names.path_of(uri, self.path) if uri else "" for uri in (entry.uri, entry.map_uri)
            )
            self._listed.append(Kept(path, init_path, 0, entry.duration_ms, entry.discontinuity))
            self._paths.update(path for path in (path, init_path) if path)
        self._playlist = old
        self._first = -1
        self._continues = True

    # --- segments ---

    def _take(self, segment: Segment) -> None:
        if len(self._queue) >= limits.HLS_BACKLOG:
            if not self._failing:
                self._failing = True
                log.error("hls of %s: the disk cannot keep up; segments are left out", self.name.url)
            return
        self._queue.append(segment)
        self._write()

    def _write(self) -> None:
        if self._writing is None or self._writing.done():
            self._start(self._write_all())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._writing = self._loop.create_task(work)

    async def _write_all(self) -> None:
        while self._queue and not self.closed:
            segment = self._queue.popleft()
            try:
                if segment is None:
                    await self._complete()
                else:
                    await self._write_one(segment)
                    if self._failing and not self._queue:
                        self._failing = False
                        log.info("hls of %s is written again", self.name.url)
            except OSError as error:
                self._fail(error)

    async def _write_one(self, segment: Segment) -> None:
        kept = self._name(segment)
        files = [(kept.path, segment.body)]
        if kept.init_path and kept.init_path not in self._paths:
            files.insert(0, (kept.init_path, segment.init))
        await self._run(self._write_files, files)
        # Numbers and names may come again: a new shelf begins with 0, and a name need hold no number.
        self._forget([path for path, _ in files])
        self._paths.update(path for path, _ in files)
        self._list(kept)
        text = self._playlist.text()
        await self._run(write_file, self._full(self.path), plain(text).encode())
        self.text = text
        self._wake()

    async def _complete(self) -> None:
        """Write the end of the playlist; see that all goes when its time is over."""
        self._playlist.ended = True
        if self._listed:
            text = self._playlist.text()
            await self._run(write_file, self._full(self.path), plain(text).encode())
            self.text = text
        self._wake()
        if self.stream is not None:
            # The publisher came back in the meantime; its segments are next.
            self._begin_anew()
        else:
            self._set_timer(self.options.dispose_seconds or self.linger_seconds, self._dispose)

    def _dispose(self) -> None:
        if self.options.dispose_seconds:
            self._remove([self.path, *self._paths])
            log.info("hls files of %s are removed", self.name.url)
        elif self.options.cleanup:
            self._remove([kept.path for kept in self._gone])
        self.close()

    def _fail(self, error: OSError) -> None:
        """Files cannot be written: do what the configuration asks for."""
        if not self._failing:
            self._failing = True
            log.error("hls of %s: %s: %s", self.name.url, error.filename, error.strerror)
        stream = self.stream
        if self.options.on_error is HlsOnError.CONTINUE or stream is None:
            return
        if self.options.on_error is HlsOnError.DISCONNECT:
            self._disk.drop_publisher(stream)
        elif self._reader is not None:
            self._queue.clear()
            self._reader.close()
            self._reader = None

    def _discard(self, paths: list[str]) -> None:
        self._paths.difference_update(paths)
        if self.options.cleanup:
            self._remove(paths)

    def _bound(self) -> None:
        """Nothing of it is in memory."""

    # --- files ---

    def _full(self, path: str) -> str:
        return os.path.join(self.options.folder, path)

    def _write_files(self, files: Sequence[tuple[str, bytes]]) -> None:
        for path, body in files:
            write_file(self._full(path), body)

    def _remove(self, paths: Sequence[str]) -> None:
        self._forget(paths)
        self._run(remove_files, self.options.folder, list(paths))

    def _forget(self, paths: Sequence[str]) -> None:
        """What was read, or is being read, of these files is old."""
        for path in paths:
            full = self._full(path)
            self._disk.cache.forget(full)
            self._disk.reads.pop(full, None)

    def _run(self, what: Callable[..., Result], *args: Any) -> asyncio.Future[Result]:
        return self._loop.run_in_executor(self._disk.executor, what, *args)

    def _has_read(self, full: str, read: asyncio.Future[bytes]) -> None:
        if self._disk.reads.get(full) is not read:
            return
        del self._disk.reads[full]
        if not read.cancelled() and read.exception() is None:
            self._disk.cache.keep(full, read.result())
