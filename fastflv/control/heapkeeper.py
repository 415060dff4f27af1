"""Memory of streams that have ended goes back to the system."""

from __future__ import annotations

import asyncio

from fastflv import limits
from fastflv.servers.hls.heap import trim_heap
from fastflv.stream.stream import Stream


class HeapKeeper:
    """A watcher of the hub: it trims the heap a while after streams ended, once for all of that while."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due = False

    def stream_began(self, stream: Stream) -> None:
        pass

    def stream_left(self, stream: Stream) -> None:
        pass

    def stream_ended(self, stream: Stream) -> None:
        if not self._due:
            self._due = True
            self._loop.call_later(limits.HEAP_TRIM_SECONDS, self._trim)

    def _trim(self) -> None:
        self._due = False
        trim_heap()
