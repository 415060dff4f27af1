"""Ticks for the players that the event loop serves: one ticker per log and merge window."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic, thread_time
from typing import Protocol

from fastflv import limits
from fastflv._ext.fanout.loadwindow import LoadMeter
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.log.observer import LogObserver


class Served(Protocol):
    """A player of a ticker."""

    @property
    def full(self) -> bool:
        """Its socket takes nothing now."""

    def serve(self, now: float) -> None: ...

    def excuse(self, seconds: float) -> None:
        """The process was held up for *seconds*: that is no time in which the player took nothing."""


class LoopTicker:
    """Serves players when the log grows: at once with window 0, else spread over the window in steps.

    The same steps as in the sender threads (fanout.pyx): players stay in their step, and a stream that
    brings nothing new for a whole window costs no timer. With a *meter* the window is what the load asks for.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        log: MediaLog,
        merge_window_ms: int,
        empty: Callable[[], None],
        meter: LoadMeter | None = None,
    ) -> None:
        self._loop = loop
        self._log = log
        self._empty = empty
        self._meter = meter
        self._merge_window_ms = merge_window_ms if meter is None else meter.window_ms
        steps = (
            limits.SLOTS_MAX
            if meter is not None
            else min(limits.SLOTS_MAX, merge_window_ms // limits.SLOT_MS)
        )
        self._slots: list[dict[Served, None]] = [{} for _ in range(max(1, steps))]
        self._next = 0
        self._turn = 0
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        "When it rings."
        self._soon = False
        self._slow = False
        self._closed = False
        self._seen = log.head
        self._quiet = 0
        self._notice: LogObserver | None = LogObserver(self._new)
        log.attach(self._notice)

    @property
    def _at_once(self) -> bool:
        """Pictures wait for no window."""
        return self._merge_window_ms < limits.SLOT_MS

    @property
    def _step_seconds(self) -> float:
        return limits.FLUSH_MS / 1000 if self._at_once else self._merge_window_ms / 1000 / len(self._slots)

    def __len__(self) -> int:
        return sum(map(len, self._slots))

    def join(self, player: Served) -> Callable[[], None]:
        """Serve *player* from now on; the function returned takes it out again."""
        slot = self._slots[self._next]
        self._next = (self._next + 1) % len(self._slots)
        slot[player] = None
        self._arm()

        def leave() -> None:
            slot.pop(player, None)
            if not any(self._slots):
                self.close()

        return leave

    def close(self) -> None:
        """The last player left."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._notice is not None:
            self._log.detach(self._notice)
            # It holds a method of this ticker, which holds the log.
            self._notice = None
        self._empty()

    def _new(self, urgent: bool) -> None:
        """The log has grown or ended. Runs within the read of the publisher: players are served after it."""
        self._quiet = 0
        if ((urgent and self._at_once) or self._log.ended) and not self._soon:
            self._soon = True
            self._loop.call_soon(self._serve_all)
        if self._slow and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._arm()

    def _serve_all(self) -> None:
        self._soon = False
        self._serve(self._slots)

    def _serve(self, slots: list[dict[Served, None]]) -> None:
        now = self._loop.time()
        began, worked = monotonic(), thread_time()
        for slot in slots:
            for player in list(slot):
                player.serve(now)
        if self._meter is not None:
            self._meter.worked(began, monotonic(), thread_time() - worked)
            # It may have been changed by another stream's ticker too.
            self._merge_window_ms = self._meter.window_ms

    def _arm(self) -> None:
        if self._timer is None and not self._closed:
            self._slow = False
            self._start(self._step_seconds, self._tick)

    def _start(self, seconds: float, ring: Callable[[], None]) -> None:
        self._due = self._loop.time() + seconds
        self._timer = self._loop.call_later(seconds, ring)

    def _rang(self) -> None:
        """A timer rings before the loop has looked at a single socket; full ones may be so no more."""
        self._timer = None
        late = self._loop.time() - self._due
        if late > limits.LATE_SECONDS:
            for slot in self._slots:
                for player in slot:
                    if player.full:
                        player.excuse(late)

    def _tick(self) -> None:
        self._rang()
        self._turn = (self._turn + 1) % len(self._slots)
        if self._log.head != self._seen:
            self._seen = self._log.head
            self._quiet = 0
        else:
            self._quiet += 1
        self._serve(self._slots if self._at_once else [self._slots[self._turn]])
        # After a whole quiet window all have what there is: nothing to do until the log grows, but for full sockets.
        if self._quiet <= len(self._slots):
            self._arm()
        else:
            self._watch()

    def _watch(self) -> None:
        """Look for stalls now and then while sockets are full."""
        if self._timer is None and any(player.full for slot in self._slots for player in slot):
            self._slow = True
            self._start(limits.BLOCKED_CHECK_MS / 1000, self._look)

    def _look(self) -> None:
        self._rang()
        self._serve_all()
        if not self._closed:
            self._watch()
