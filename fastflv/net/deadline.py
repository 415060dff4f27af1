"""Time limits for peers: moved often, reached seldom, and never held against a peer whose bytes lie unread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fastflv import limits


class Handle(Protocol):
    def cancel(self) -> None: ...


class Timers(Protocol):
    """The clock and timers of an event loop."""

    def time(self) -> float:
        """Monotonic clock, seconds."""

    def call_later(self, delay: float, callback: Callable[..., object], /, *args: object) -> Handle: ...

    def call_soon(self, callback: Callable[..., object], /, *args: object) -> object: ...


class Deadline:
    """Calls *expired* when the time set last has come. Moving it later, or clearing it, costs no timer.

    A process that was stopped, with its machine or alone, finds its timers due before it has read a single socket.
    So a deadline that is due is judged behind the next reads. One that is due late is given as much time again as
    it is late: peers could neither be heard nor reach the server.
    """

    __slots__ = ("_due", "_expired", "_seconds", "_step", "_timer", "_timers", "heard")

    heard: float
    "When the time began, monotonic clock, seconds. Writing it moves the deadline later."

    def __init__(self, timers: Timers, expired: Callable[[], object], *, step: float = 0.0) -> None:
        """*step*: once moved, it is looked at no more often than this, seconds."""
        self._timers = timers
        self._expired: Callable[[], object] | None = expired
        self._step = step
        self._seconds: float | None = None
        self._timer: Handle | None = None
        self._due = 0.0
        "When the timer rings."
        self.heard = 0.0

    def set(self, seconds: float, *, since: float | None = None) -> None:
        """Expire *seconds* after *since*, None: from now on, instead of any time set before."""
        if self._expired is None:
            return
        now = self._timers.time()
        self.heard = now if since is None else since
        self._seconds = seconds
        due = max(self.heard + seconds, now)
        if self._timer is None or self._due > due:
            self._start(now, due - now)

    def clear(self) -> None:
        """Do not expire."""
        self._seconds = None

    def cancel(self) -> None:
        """Never expire any more. Frees the timer, and the reference to the owner."""
        self._seconds = self._expired = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, now: float, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = now + seconds
        self._timer = self._timers.call_later(seconds, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._timers.time()
        late = now - self._due
        if self._seconds is None or self._moved():
            return
        if late > limits.LATE_SECONDS:
            self._start(now, min(late, self._seconds))
        else:
            # What is called soon from a timer may come before the next reads; what that calls soon comes behind them.
            self._timers.call_soon(self._timers.call_soon, self._judge)

    def _judge(self) -> None:
        if self._seconds is None or self._expired is None or self._timer is not None or self._moved():
            return
        self._seconds = None
        self._expired()

    def _moved(self) -> bool:
        """Whether the time was moved meanwhile; then the timer is set anew."""
        assert self._seconds is not None
        now = self._timers.time()
        left = self.heard + self._seconds - now
        # The clock of a loop may be some microseconds behind its timers.
        if left <= 0.001:
            return False
        self._start(now, max(left, self._step))
        return True


def after(timers: Timers, seconds: float, callback: Callable[[], object]) -> Deadline:
    """Call *callback* once after *seconds*; cancel what is returned when its owner ends."""
    deadline = Deadline(timers, callback)
    deadline.set(seconds)
    return deadline
