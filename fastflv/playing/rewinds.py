"""The rewound players of a server: their streams go on by one timer."""

from __future__ import annotations

import asyncio

from fastflv import limits
from fastflv.stream.moment import RewindWish
from fastflv.stream.rewind import Rewind
from fastflv.stream.stream import Stream


class Rewinds:
    """Makes rewound streams within bounds, and has them go on while they are played."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._running: set[Rewind] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._running)

    def refusal(self) -> str:
        """Why no further player may be rewound, in one sentence; empty when one may."""
        if len(self._running) >= limits.REWINDS_MAX:
            return f"{len(self._running)} players are rewound, as many as may be at once"
        size = sum(rewind.kept_bytes for rewind in self._running)
        if size >= limits.REWIND_BYTES_MAX:
            return f"rewound players take {size >> 20} MiB, as much as they may at once"
        return ""

    def begin(self, stream: Stream, wish: RewindWish) -> Rewind:
        """Return *stream* as it was at the moment of *wish*; `end` follows."""
        rewind = Rewind(stream, wish, self._loop.time())
        self._running.add(rewind)
        if self._timer is None:
            self._timer = self._loop.call_later(0, self._tick)
        return rewind

    def end(self, rewind: Rewind) -> None:
        """Its player is gone."""
        self._running.discard(rewind)
        rewind.close()

    def stop(self) -> None:
        """The server stops: players of the past get a clean end too."""
        for rewind in list(self._running):
            self.end(rewind)

    def of(self, stream: Stream) -> list[Rewind]:
        """Return what is played of the past of *stream*."""
        return [rewind for rewind in self._running if rewind.stream is stream]

    def _tick(self) -> None:
        self._timer = None
        now = self._loop.time()
        waits = False
        for rewind in self._running:
            if not rewind.is_live and not rewind.done:
                rewind.advance(now)
                waits = True
        if waits:
            self._timer = self._loop.call_later(limits.REWIND_TICK_MS / 1000, self._tick)
