"""A real socket whose receive low-water mark a test looks at."""

from __future__ import annotations

import socket

from fastflv._ext.ingest.lowwater import LowWater


class Marked:
    """A socket with a low-water mark, and every mark that it had when it was looked at."""

    def __init__(self) -> None:
        self._sock = socket.socket()
        self.water = LowWater(self._sock.fileno())
        self.marks = [1]

    def __del__(self) -> None:
        self._sock.close()

    @property
    def mark(self) -> int:
        """Of now, bytes."""
        return self.note()

    def note(self) -> int:
        mark = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)
        assert mark == self.water.mark
        if mark != self.marks[-1]:
            self.marks.append(mark)
        return mark

    def look(self, received: int, *, alone: bool = True) -> int:
        self.water.look(received, alone)
        return self.note()

    def look_watched(self, received: int, sound: int, picture: int) -> int:
        self.water.look_watched(received, sound, picture)
        return self.note()

    def end_read(self, *, inside: bool) -> int:
        self.water.end_read(inside)
        return self.note()

    def watched(self, picture: int = 3000, sound: int = 2000) -> Marked:
        """Somebody watches: in each look 20,000 bytes, *sound* of them sound, and no picture below *picture*."""
        for number in range(1, 40):
            self.look_watched(20_000 * number, sound * number, picture)
        return self
