"""What is written to the transport of an HTTP connection, and what of it the client has not taken."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from fastflv import limits
from fastflv.net.turns import Turns
from fastflv.playing.loopplayer import unacked


def is_secure(transport: asyncio.BaseTransport) -> bool:
    """Whether TLS encrypts what is written."""
    return transport.get_extra_info("sslcontext") is not None


class Transmit:
    """Writes to a transport, and says when that is full.

    A plain transport keeps what it is given by reference. TLS encrypts each write at once, and a client that does
    not read would hold its own copy. So TLS is given pieces of HTTP_TLS_WRITE_BYTES, each when the socket has taken
    those before and the turn of the loop has time. What waits is shared by all who are sent it.
    """

    __slots__ = (
        "_changed", "_clogged", "_closing", "_limited", "_queued", "_transport", "_turns", "_urgent", "_waiting", "full",
        "secure",
    )  # fmt: skip

    full: bool
    "More is buffered than should be, or waits here."

    secure: bool
    "TLS encrypts what is written."

    def __init__(self, transport: asyncio.Transport, turns: Turns, changed: Callable[[bool], None]) -> None:
        """*changed* is told each new value of `full`."""
        self.full = False
        self._transport = transport
        self._turns = turns
        self._changed: Callable[[bool], None] | None = changed
        self.secure = is_secure(transport)
        self._clogged = False
        "The transport asked for a pause."
        self._queued = False
        "The next piece waits for a turn of the loop."
        self._urgent = False
        self._closing = False
        self._limited = False
        "The transport's buffer has other limits than usual."
        self._waiting: deque[memoryview] = deque()
        if self.secure:
            self._limit(None)

    @property
    def buffered(self) -> int:
        """Bytes written that the kernel has not taken."""
        return self._transport.get_write_buffer_size() + sum(map(len, self._waiting))

    def unsent(self, more: int) -> int:
        """Return how much the client has not taken of what is buffered, and of *more* bytes to come; 0 when neither is.

        The kernel takes megabytes at a time: what it holds shows sooner that a slow client reads.
        """
        unsent = self.buffered + more
        return unsent + unacked(self._transport.get_extra_info("socket")) if unsent else 0

    def write(self, data: bytes | bytearray | memoryview, *, urgent: bool = False) -> None:
        """*urgent*: media, which waits for no turn."""
        self._urgent = urgent
        if not self.secure or (len(data) <= limits.HTTP_TLS_WRITE_BYTES and not self._waiting):
            self._transport.write(data)
        elif len(data):
            self._waiting.append(memoryview(data))
            self._feed()

    def limit(self, high: int | None) -> None:
        """Be full when more than *high* bytes are buffered; None: as usual."""
        if self._limited or high is not None:
            self._limited = high is not None
            self._limit(high)

    def pause(self) -> None:
        """The transport asks for it."""
        self._clogged = True
        self._judge()

    def resume(self) -> None:
        """The transport takes more."""
        self._clogged = False
        self._feed()

    def close(self) -> None:
        """Close the transport when it has what waits."""
        self._closing = True
        if not self._waiting:
            self._transport.close()

    def forget(self) -> None:
        """The connection is lost, or another's: say nothing more, and free what refers back to its owner."""
        self._waiting.clear()
        self._changed = None

    def _feed(self) -> None:
        waiting = self._waiting
        while waiting and not self._clogged and not self._queued:
            if not self._urgent and not self._turns.open():
                self._queued = True
                self._turns.queue(self._take_turn)
                break
            piece = waiting.popleft()
            if len(piece) > limits.HTTP_TLS_WRITE_BYTES:
                waiting.appendleft(piece[limits.HTTP_TLS_WRITE_BYTES :])
            self._transport.write(piece[: limits.HTTP_TLS_WRITE_BYTES])
        if self._closing and not waiting:
            self._transport.close()
        self._judge()

    def _take_turn(self) -> None:
        self._queued = False
        self._feed()

    def _judge(self) -> None:
        full = self._clogged or bool(self._waiting)
        if full != self.full:
            self.full = full
            if self._changed is not None:
                self._changed(full)

    def _limit(self, high: int | None) -> None:
        # TLS asks for a pause when the limit is reached, others when it is exceeded.
        self._transport.set_write_buffer_limits(high=1 if high is None and self.secure else high)
