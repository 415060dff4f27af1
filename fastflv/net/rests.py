"""Rests of the event loop: while a crowd comes and goes, it looks at its sockets some milliseconds apart.

A look that finds one peer wakes a thread, which begins with a cold cache and wakes another. Ten peers that are served
one behind the other cost a fifth to a third less than ten that are served one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import Callable
from time import perf_counter

from fastflv import limits
from fastflv.net.turns import Turns


class Rests:
    """Has the event loop rest at the end of a turn, where players come and go more than CROWD_RATE times a second.

    From one rest to the next there are CROWD_REST_SECONDS, so a loop that is busy for so long takes none. It takes
    none while somebody waits for a turn or to be accepted, for a turn accepts one connection, nor before who was
    accepted is read. Media ends a rest.
    """

    __slots__ = (
        "_armed", "_clock", "_count", "_crowd", "_doors", "_due", "_loop", "_media", "_since", "_turns", "fresh", "held", "taken",
    )  # fmt: skip

    def __init__(
        self, loop: asyncio.AbstractEventLoop, turns: Turns, clock: Callable[[], float] = perf_counter
    ) -> None:
        """*turns*: of the loop. *clock*: seconds, never going back."""
        self._loop = loop
        self._turns = turns
        self._clock = clock
        self._doors = select.epoll()
        self._media = select.epoll()
        self._armed = False
        "The loop will call `_end_turn`."
        self._count = 0
        "Players that came or went in the present span."
        self._since = 0.0
        "Its begin, by the clock."
        self._crowd = False
        "There were many in the span before."
        self._due = 0.0
        "A rest that begins before ends then, likewise."
        self.fresh = False
        "A connection was accepted in the present turn: its request comes in the next."
        self.held: Callable[[], bool] = lambda: False
        "Whether somebody waits for what takes several turns: each of them would wait for a rest."
        self.taken = 0
        "Rests since the start."

    def add_door(self, sock: socket.socket) -> None:
        """Connections may wait at *sock*, until `remove_door`; no harm when that is known."""
        if not self._doors.closed:
            with contextlib.suppress(FileExistsError):
                self._doors.register(sock, select.EPOLLIN)

    def remove_door(self, sock: socket.socket) -> None:
        """Nobody is accepted at *sock* for now, which is open; no harm when that is known."""
        if not self._doors.closed:
            with contextlib.suppress(FileNotFoundError):
                self._doors.unregister(sock)

    def add_media(self, fd: int) -> None:
        """Media has come where *fd* can be read; it may be closed at any time."""
        self._media.register(fd, select.EPOLLIN)

    def count(self) -> None:
        """A player comes or goes in the present turn."""
        self._count += 1
        if not self._armed:
            self._arm()

    def close(self) -> None:
        """Rest no more."""
        self._doors.close()
        self._media.close()

    def _arm(self) -> None:
        self._armed = True
        self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._armed = False
        if self._doors.closed:
            return
        now = self._clock()
        span = now - self._since
        if span >= limits.CROWD_SPAN_SECONDS:
            self._crowd = self._count >= limits.CROWD_RATE * span
            self._count = 0
            self._since = now
        if not self._crowd:
            return
        left = self._due - now
        if left > 0:
            if self.fresh or self._turns.waits or self.held() or self._doors.poll(0, 1):
                self.fresh = False
                self._arm()
                return
            self._media.poll(left, 1)
            self.taken += 1
            now = self._clock()
        self._due = now + limits.CROWD_REST_SECONDS
