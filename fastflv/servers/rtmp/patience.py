"""How long the server waits for an RTMP peer that neither publishes nor plays."""

from __future__ import annotations

from collections.abc import Callable

from fastflv import limits
from fastflv.errors import PeerTimeoutError
from fastflv.net.deadline import Deadline, Timers


class Patience:
    """Calls *expired* after *seconds*, unless it is moved or has ended; *why* begins the text of the error."""

    __slots__ = ("_deadline", "_expired", "_messages", "_seconds", "_why")

    def __init__(
        self,
        timers: Timers,
        expired: Callable[[PeerTimeoutError], object],
        seconds: float,
        why: str,
        messages: int | None = None,
    ) -> None:
        """*messages*: how many the peer has sent; each further one moves the deadline. None: nothing moves it."""
        self._expired = expired
        self._seconds = seconds
        self._why = why
        self._messages = messages
        self._deadline = Deadline(timers, self._expire, step=limits.WATCH_SECONDS_MIN)
        self._deadline.set(seconds)

    def hear(self, messages: int, now: float) -> None:
        """The peer has sent bytes at *now*, monotonic clock, seconds; *messages*: whole ones so far.

        Bytes alone would let a peer hold half messages for ever.
        """
        if self._messages is not None and self._messages != messages:
            self._messages = messages
            self._deadline.heard = now

    def end(self) -> None:
        """Wait no more."""
        self._deadline.cancel()

    def _expire(self) -> None:
        self._expired(PeerTimeoutError(f"{self._why} {self._seconds:g} s"))
