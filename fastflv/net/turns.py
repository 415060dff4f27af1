"""Turns of the event loop: what peers ask for in one of them is bounded, and the rest waits for the next.

Without it, one connection that sends thousands of requests at once holds up all others, media included.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from time import perf_counter

from fastflv import limits
from fastflv.net.deadline import Handle


class Turns:
    """Shares the time of one event loop among connections.

    A connection asks `open` before each request, and before each message that is no media. When the answer is
    False it stops reading and calls `queue`. Queued connections go on in their order, each with one
    request at least, and sockets are read between two turns. Media never asks.

    Deadlines take it for the timers of the loop (`Timers`): what they call soon has its turn too, so that peers whose
    time is up at one moment are closed some at a time.
    """

    __slots__ = ("_armed", "_ends", "_fresh", "_full", "_loop", "_queue", "_serving", "crowded")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: deque[Callable[[], object]] = deque()
        self._armed = False
        "The loop will call `_next`."
        self._serving = False
        "A queued connection has its turn."
        self._fresh = False
        "It has done nothing yet."
        self._ends = 0.0
        "When the time of the present turn is used up, `perf_counter` seconds."
        self._full = 0
        "Turns that had something queued."
        self.crowded: Callable[[], object] | None = None
        "Called after each TURN_CROWD of them, in the last one."

    def open(self) -> bool:
        """Return whether the present turn has time for one more request."""
        if self._fresh:
            self._fresh = False
            return True
        if not self._armed:
            self._arm()
            return True
        return (self._serving or not self._queue) and perf_counter() < self._ends

    @property
    def waits(self) -> bool:
        """Somebody is queued."""
        return bool(self._queue)

    def queue(self, go_on: Callable[[], object]) -> None:
        """Call *go_on* when its turn has come; once for each call."""
        self._queue.append(go_on)
        if not self._armed:
            self._arm()

    def charge(self, seconds: float) -> None:
        """Count *seconds* for what was begun in the present turn and comes behind it."""
        self._ends -= seconds

    def time(self) -> float:
        """Clock of the loop, seconds."""
        return self._loop.time()

    def call_later(self, delay: float, callback: Callable[..., object], /, *args: object) -> Handle:
        """Call *callback* after *delay* seconds, in no turn."""
        return self._loop.call_later(delay, callback, *args)

    def call_soon(self, callback: Callable[..., object], /, *args: object) -> None:
        """Call *callback* when its turn has come."""
        self.queue(partial(callback, *args))

    def _arm(self) -> None:
        self._armed = True
        self._ends = perf_counter() + limits.TURN_SECONDS
        self._loop.call_soon(self._next)

    def _next(self) -> None:
        if not self._queue:
            self._armed = False
            return
        # Before the work: an exception in it must not strand the others.
        self._arm()
        self._serving = True
        try:
            for _ in range(min(len(self._queue), limits.TURN_COUNT)):
                self._fresh = True
                self._queue.popleft()()
                if perf_counter() >= self._ends:
                    break
        finally:
            self._serving = self._fresh = False
        self._full += 1
        if self._full == limits.TURN_CROWD:
            self._full = 0
            if self.crowded is not None:
                self.crowded()
