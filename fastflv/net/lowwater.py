"""A publisher wakes the event loop no more often than its players need: its socket gathers bytes first.

Wake-ups are most of what many publishers cost. Nobody watches: the socket gathers some 100 ms of media. Somebody does:
players are sent sound with the next picture, so sound alone wakes nobody, and each picture does.

Nothing is lost: the first player of the stream, silence, and the end of the connection make the socket eager again.
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

    __slots__ = ("_least", "_mark", "_mean", "_parted", "_received", "_set", "_socket", "_sound")

    def __init__(self, sock: Socket) -> None:
        self._socket = sock
        self._mark = 1
        "Wanted between two messages."
        self._set = 1
        "What the socket has."
        self._parted = False
        "Somebody watches: the rest of a message that was read in part is read as it comes."
        self._received = -1
        self._mean = 0
        "Bytes that come between two looks, over the last ones."
        self._sound = 0
        self._least = 0
        "Pictures are hardly smaller than this, bytes; 0: not known."

    def look(self, received: int) -> None:
        """Nobody watches: choose the mark anew. Call this or `look_watched` every LOW_WATER_SECONDS.

        *received*: bytes of media so far.
        """
        fresh = self._fresh(received)
        self._parted = False
        if fresh:
            # A keyframe comes with some looks and not with others; silence counts at once.
            self._mean = self._mean + (fresh - self._mean) // limits.LOW_WATER_LOOKS if self._mean else fresh
            fresh = self._mean
        share = limits.LOW_WATER_GATHER_SECONDS / limits.LOW_WATER_SECONDS
        self._want(min(int(fresh * share), limits.LOW_WATER_BYTES_MAX))

    def look_watched(self, received: int, sound: int, picture: int) -> None:
        """Somebody watches: choose the mark anew.

        *received*, *sound*: bytes of all media and of sound so far. *picture*: the smallest picture since the last
        look, bytes; 0 without one.
        """
        fresh, fresh_sound = self._fresh(received), sound - self._sound
        self._sound = sound
        if picture:
            least = self._least
            self._least = min(picture, least + least // limits.LOW_WATER_GROWTH) if least else picture
        mark = 1
        if fresh and 0 < fresh_sound < fresh:
            # Where pictures are few, sound wakes the loop by itself.
            share = limits.LOW_WATER_SOUND_SECONDS / limits.LOW_WATER_SECONDS
            mark = min(self._least // 2, int(fresh_sound * share), limits.LOW_WATER_BYTES_MAX)
        self._want(mark if mark >= limits.LOW_WATER_BYTES_MIN else 1)
        self._parted = self._mark > 1

    def end_read(self, inside: bool) -> None:
        """A read is done; *inside*: it ended within a message."""
        if self._parted:
            self._apply(1 if inside else self._mark)

    def wake(self) -> None:
        """Hand over what is there, and every byte at once, until the next look."""
        self._mark = 1
        self._parted = False
        self._apply(1)

    def _fresh(self, received: int) -> int:
        fresh = received - self._received if self._received >= 0 else 0
        self._received = received
        return fresh

    def _want(self, mark: int) -> None:
        mark = max(mark, 1)
        # Small changes are not worth the system call; waking up always is.
        if mark == 1 or not 0.7 < mark / self._mark < 1.5:
            self._mark = mark
            self._apply(mark)

    def _apply(self, mark: int) -> None:
        if mark != self._set:
            self._set = mark
            # The kernel reports at once when the new mark is already reached.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, mark)
