"""Memory of streams that have ended goes back to the system."""

from __future__ import annotations

from fastflv.net.heap import Heap
from fastflv.stream.stream import Stream


class EndedStreams:
    """A watcher of the hub."""

    def __init__(self, heap: Heap) -> None:
        self._heap = heap

    def stream_began(self, stream: Stream) -> None: ...

    def stream_left(self, stream: Stream) -> None: ...

    def stream_ended(self, stream: Stream) -> None:
        self._heap.trim_later()
