"""A publisher that nobody watches wakes the event loop less often: its socket gathers bytes first.

Nothing is lost and nobody waits: the first player of the stream, silence, and the end of the connection
all make the socket eager again. With 100 publishers and no players, wake-ups are most of the CPU.
"""

from __future__ import annotations

import socket
from typing import Protocol

from fastflv import limits


class Socket(Protocol):
    """As much of a socket as is used here (uvloop has its own kind)."""

    def setsockopt(self, level: int, name: int, value: int, /) -> object: ...


class LowWater:
    """The receive low-water mark (SO_RCVLOWAT, socket(7)) of one publisher."""

    __slots__ = ("_mark", "_received", "_socket")

    def __init__(self, sock: Socket) -> None:
        self._socket = sock
        self._mark = 1
        self._received = -1

    def look(self, received: int, watched: bool) -> None:
        """Choose the mark anew; call every LOW_WATER_SECONDS with the bytes received so far.

        *watched*: somebody reads the stream, or is about to.
        """
        fresh = received - self._received if self._received >= 0 else 0
        self._received = received
        mark = 1
        if not watched and fresh > 0:
            share = limits.LOW_WATER_GATHER_SECONDS / limits.LOW_WATER_SECONDS
            mark = max(1, min(int(fresh * share), limits.LOW_WATER_BYTES_MAX))
        # Small changes are not worth the system call; waking up always is.
        if mark == 1 or not 0.7 < mark / self._mark < 1.5:
            self._set(mark)

    def wake(self) -> None:
        """Somebody watches from now on: hand over what is there, and every byte at once."""
        self._set(1)

    def _set(self, mark: int) -> None:
        if mark != self._mark:
            self._mark = mark
            # The kernel reports at once when the new mark is already reached.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, mark)
