"""The HLS muxers of all streams: made by publishes and requests, changed by reloads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from fastflv import limits
from fastflv.net.filepool import FileShare
from fastflv.net.heap import Heap
from fastflv.servers.hls.backlog import Backlog, Backlogs
from fastflv.servers.hls.diskstore import Disk, DiskStore
from fastflv.servers.hls.event import SegmentEvent, Watcher
from fastflv.servers.hls.keyring import KeyRing
from fastflv.servers.hls.memorystore import MemoryStore, SharedMemory
from fastflv.servers.hls.muxer import HlsMuxer
from fastflv.servers.hls.names import HlsNames
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.hls.store import SegmentStore
from fastflv.stream.clients import Clients
from fastflv.stream.endreason import EndReason
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream

log = logging.getLogger(__name__)


class HlsMuxers:
    """At most one muxer a stream. A watcher of the hub.

    *vhost_of*: the options of a vhost by its name or an alias, None where HLS is off. *is_own*: off for streams that
    another process publishes, which has their files.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hub: Hub,
        clients: Clients,
        files: FileShare,
        heap: Heap,
        vhost_of: Callable[[str], HlsOptions | None],
        is_own: Callable[[StreamName], bool],
    ) -> None:
        self.vhost_of = vhost_of
        self._is_own = is_own
        self.watchers: list[Watcher] = []
        "Told of each segment that is listed."
        self._loop = loop
        self._hub = hub
        self._clients = clients
        self._muxers: dict[StreamName, HlsMuxer] = {}
        self._replaced: set[HlsMuxer] = set()
        "Muxers that serve no request any more and complete or delete their files."
        self._former: dict[str, set[HlsNames]] = {}
        "By vhost: path templates from before a reload that running muxers still use."
        self._elsewhere: dict[str, HlsNames] = {}
        "By vhost: those from before the last reload that has changed them, which muxers of other processes may still use."
        self._memory = SharedMemory()
        self._backlogs = Backlogs()
        self._disk = Disk(files)
        self._heap = heap
        self._closing: set[asyncio.Task[None]] = set()
        "They wait for files of such muxers."
        self._stopped = False

    def __iter__(self) -> Iterator[HlsMuxer]:
        """The muxers that serve requests."""
        return iter(self._muxers.values())

    def __len__(self) -> int:
        return len(self._muxers)

    def find(self, name: StreamName) -> HlsMuxer | None:
        """Return the muxer of a stream, or None."""
        return self._muxers.get(name)

    def stream_of(self, options: HlsOptions, path: str, present: StreamName) -> StreamName | None:
        """Return the stream whose playlist has this URL path; a running muxer keeps the templates it began with.

        *present*: the stream by the present templates.
        """
        if not self._former and not self._elsewhere:
            return present
        for names in self.templates(options):
            name = names.stream_of(path)
            if name is None:
                continue
            muxer = self._muxers.get(name)
            if names == (options.names if muxer is None else muxer.options.names):
                return name
        return None

    def muxer_of_segment(self, options: HlsOptions, path: str) -> HlsMuxer | None:
        """Return the muxer that has a segment at this URL path, or may have had one."""
        found = None
        for names in self.templates(options):
            name = names.segment_of(path)
            muxer = self._muxers.get(name) if name is not None else None
            if muxer is not None and muxer.fetch(path[1:]) is not None:
                return muxer
            found = found or muxer
        return found

    def muxer_of_key(self, options: HlsOptions, path: str) -> HlsMuxer | None:
        """Return the muxer that has a key at this URL path."""
        for names in self.templates(options):
            name = names.key_of(path)
            muxer = self._muxers.get(name) if name is not None else None
            if muxer is not None and muxer.fetch_key(path[1:]) is not None:
                return muxer
        return None

    def start(self, stream: Stream) -> HlsMuxer | None:
        """Make the muxer of a settled stream; None where HLS is off, or its name cannot be that of a file."""
        options = self.vhost_of(stream.name.vhost)
        muxer = self._new_muxer(stream.name, options) if options is not None and not self._stopped else None
        if muxer is not None:
            muxer.begin(stream)
        return muxer

    def templates(self, options: HlsOptions) -> Iterator[HlsNames]:
        """The path templates of a vhost, then those that running muxers have kept, here or elsewhere."""
        yield options.names
        yield from self.former_names(options.names.vhost)

    def former_names(self, vhost: str) -> tuple[HlsNames, ...]:
        """Return path templates from before a reload that running muxers of *vhost* still use, here or elsewhere."""
        former, elsewhere = self._former.get(vhost, set()), self._elsewhere.get(vhost)
        return tuple(former) if elsewhere is None else (*(former - {elsewhere}), elsewhere)

    # --- streams ---

    def stream_began(self, stream: Stream) -> None:
        """A publisher begins, or returns within the grace period."""
        if self._stopped:
            return
        # It may be one that this process fetches from the one that publishes it.
        self.look(stream.name)
        options = self.vhost_of(stream.name.vhost)
        muxer = self._muxers.get(stream.name)
        if muxer is not None and muxer.stream is None and options is not None and _is_moved(muxer, options):
            self._replace(muxer)
            self._find_former()
            muxer = None
        if muxer is not None:
            muxer.begin(stream)
        elif options is not None and options.folder and self._is_own(stream.name):
            self.start(stream)

    def stream_left(self, stream: Stream) -> None:
        """The publisher left; another one may come within the grace period."""
        muxer = self._muxers.get(stream.name)
        if muxer is not None:
            muxer.pause()

    def stream_ended(self, stream: Stream) -> None:
        """No publisher returned within the grace period."""
        muxer = self._muxers.get(stream.name)
        if muxer is not None and muxer.stream is stream:
            muxer.end()

    def look(self, name: StreamName) -> None:
        """Leave the files of a stream that another process publishes to that one, as a restart does: none is deleted any more."""
        if self._is_own(name):
            return
        present = self._muxers.pop(name, None)
        if present is not None:
            self._replaced.add(present)
        for muxer in [muxer for muxer in self._replaced if muxer.name == name]:
            muxer.pause()
            muxer.stream = None
            closing = self._loop.create_task(muxer.written())
            self._closing.add(closing)
            closing.add_done_callback(partial(self._left, muxer))

    async def written(self, name: StreamName) -> None:
        """Wait until what was read of a stream is stored, and old files are deleted."""
        for muxer in [*self, *self._replaced]:
            if muxer.name == name:
                await muxer.written()
        await self._disk.removed()

    def _left(self, muxer: HlsMuxer, closing: asyncio.Task[None]) -> None:
        self._closing.discard(closing)
        muxer.close()

    # --- the server ---

    def reconfigure(
        self, vhost_of: Callable[[str], HlsOptions | None], former: Mapping[str, HlsNames]
    ) -> list[str]:
        """Use the options of a reloaded configuration, for running muxers too.

        *former*: path templates that it changes, by vhost, where other processes have streams too.

        Returns the directives that act from the next publish of a running stream on, each once. Where HLS is off
        now, muxers close and viewers get 404. Where it is on now, segments begin with the next request or publish.
        """
        self.vhost_of = vhost_of
        self._elsewhere |= former
        waiting: dict[str, None] = {}
        for muxer in list(self):
            options = vhost_of(muxer.name.vhost)
            if options is None:
                self._replace(muxer)
            else:
                waiting.update(dict.fromkeys(muxer.adopt(options)))
        self._find_former()
        return list(waiting)

    async def stop(self) -> None:
        """Close all muxers; wait up to STOP_SECONDS for files that are being written. Call it before streams end."""
        self._stopped = True
        muxers = [*self, *self._replaced]
        for muxer in muxers:
            muxer.stop()
        if muxers:
            written = [self._loop.create_task(muxer.written()) for muxer in muxers]
            await asyncio.wait(written, timeout=limits.STOP_SECONDS)
        for muxer in muxers:
            muxer.close()
        # The next process may use their names.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limits.STOP_SECONDS):
                await self._disk.removed()

    def _new_muxer(self, name: StreamName, options: HlsOptions) -> HlsMuxer | None:
        path = options.names.playlist_path(name)
        if not path:
            log.warning("hls of %s: the name of the stream does not fit the templates of the files", name.url)
            return None
        store: SegmentStore = (
            DiskStore(self._disk, options.folder, path) if options.folder else MemoryStore(self._memory)
        )
        keys = None
        if options.names.keys:
            apart = DiskStore(self._disk, options.key_folder) if options.key_folder else store
            keys = KeyRing(name, options.names, apart, self._disk.run)
        muxer = self._muxers[name] = HlsMuxer(
            self._loop,
            self._hub,
            name,
            options,
            store,
            keys,
            Backlog(self._backlogs),
            on_closed=self._closed,
            drop_publisher=self._drop_publisher,
            tell=self._tell,
        )
        return muxer

    def _replace(self, muxer: HlsMuxer) -> None:
        """Take a muxer off service; one on disk completes its playlist, and deletes its files when they are due."""
        del self._muxers[muxer.name]
        self._replaced.add(muxer)
        if muxer.store.on_demand:
            muxer.close()
        elif muxer.stream is not None:
            muxer.end()

    def _closed(self, muxer: HlsMuxer) -> None:
        self._replaced.discard(muxer)
        if self._muxers.get(muxer.name) is muxer:
            del self._muxers[muxer.name]
            if self._former:
                self._find_former()
        self._heap.trim_later()

    def _find_former(self) -> None:
        """Find the templates that running muxers have kept over a reload."""
        self._former.clear()
        for muxer in self:
            names, options = muxer.options.names, self.vhost_of(muxer.name.vhost)
            if options is not None and names != options.names:
                self._former.setdefault(muxer.name.vhost, set()).add(names)

    def _tell(self, event: SegmentEvent) -> None:
        for watcher in self.watchers:
            try:
                watcher(event)
            except Exception:
                log.exception("a watcher of segments failed")

    def _drop_publisher(self, stream: Stream) -> None:
        client = self._clients.find(stream.publisher_id)
        if client is not None:
            client.drop(EndReason.STORE_FAILED)


def _is_moved(muxer: HlsMuxer, options: HlsOptions) -> bool:
    """Whether the path templates or the places of the files differ from those of a muxer."""
    old = muxer.options
    return (old.names, old.folder, old.key_folder) != (options.names, options.folder, options.key_folder)
