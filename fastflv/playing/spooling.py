"""Moves the past of streams to files, on threads, where their vhosts want that."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from fastflv import limits
from fastflv._ext.log.spool import SpoolPage
from fastflv.net.filepool import FileShare
from fastflv.stream.hub import Hub
from fastflv.stream.spool import Spool
from fastflv.stream.stream import Stream

log = logging.getLogger(__name__)


class Spooling:
    """A watcher of the hub, which looks for pages each TIMESHIFT_SPOOL_SECONDS while there are streams."""

    def __init__(self, files: FileShare, hub: Hub) -> None:
        self._files = files
        self._hub = hub
        self._spools: dict[Stream, Spool] = {}
        self._busy: set[Stream] = set()
        self._timer: asyncio.TimerHandle | None = None

    def stream_began(self, stream: Stream) -> None:
        self._arm()

    def stream_left(self, stream: Stream) -> None: ...

    def stream_ended(self, stream: Stream) -> None:
        spool = self._spools.pop(stream, None)
        if spool is not None and stream not in self._busy:
            spool.close()

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = self._files.loop.call_later(limits.TIMESHIFT_SPOOL_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        for stream in self._hub:
            self._move(stream)
        if len(self._hub):
            self._arm()

    def _move(self, stream: Stream) -> None:
        timeshift = stream.timeshift
        if stream in self._busy or not timeshift.options.path or timeshift.failed:
            return
        pages = timeshift.pages_in_memory()
        if not pages:
            return
        spool = self._spools.get(stream)
        if spool is None or spool.folder != timeshift.options.path:
            spool = self._spools[stream] = Spool(timeshift.options.path)
        self._busy.add(stream)
        self._files.run(spool.write, pages).add_done_callback(partial(self._moved, stream, spool, pages))

    def _moved(
        self, stream: Stream, spool: Spool, pages: list[SpoolPage], writing: asyncio.Future[None]
    ) -> None:
        self._busy.discard(stream)
        for page in pages:
            page.swap()
        error = None if writing.cancelled() else writing.exception()
        if self._spools.get(stream) is not spool or error is not None:
            spool.close()
        if isinstance(error, OSError):
            self._spools.pop(stream, None)
            stream.timeshift.stay_in_memory()
            log.error(
                "the past of %s stays in memory, %d MiB at most: %s cannot be written, %s",
                stream.name.url,
                limits.TIMESHIFT_MEMORY_BYTES >> 20,
                spool.folder,
                error.strerror,
            )
        elif error is not None:
            raise error
