"""A time limit that is moved often and reached seldom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls *expired* when the time set last has come. Moving it later, or clearing it, costs no timer."""

    __slots__ = ("_expired", "_loop", "_timer", "_when")

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[], None]) -> None:
        self._loop = loop
        self._expired: Callable[[], None] | None = expired
        self._when: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Expire after *seconds* from now, instead of any time set before."""
        if self._expired is None:
            return
        self._when = when = self._loop.time() + seconds
        timer = self._timer
        if timer is None or timer.when() > when:
            if timer is not None:
                timer.cancel()
            self._timer = self._loop.call_at(when, self._ring)

    def clear(self) -> None:
        """Do not expire."""
        self._when = None

    def cancel(self) -> None:
        """Never expire any more. Frees the timer, and the reference to the owner."""
        self._when = self._expired = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        if self._when is None or self._expired is None:
            return
        # The clock of a loop may be some microseconds behind its timers.
        if self._when > self._loop.time() + 0.001:
            self._timer = self._loop.call_at(self._when, self._ring)
            return
        self._when = None
        self._expired()
