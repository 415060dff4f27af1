"""Which stream of an HTTP/2 connection is sent next: each in its turn, as far as its window and the connection's allow.

Live media goes before files and other answers, since it comes at the pace of time. Within both kinds a stream sends one
frame, then the next stream has its turn. A stream whose window is closed waits apart and holds up nobody.

Spec: RFC 9113, 5.2.
"""

from __future__ import annotations

from collections import deque

from fastflv import limits
from fastflv.protocols.http.h2 import H2


class Outgoing:
    """What one stream is still to send."""

    __slots__ = ("_pieces", "ended", "live", "scheduled", "size", "stream")

    def __init__(self, stream: int) -> None:
        self.stream = stream
        self.live = False
        "It is live media."
        self.ended = False
        "The end of the stream follows what waits."
        self.size = 0
        "Bytes that wait."
        self.scheduled = False
        "A Schedule has it."
        self._pieces: deque[memoryview] = deque()

    def push(self, data: bytes | bytearray | memoryview) -> None:
        """Add *data*, which is kept by reference."""
        if len(data):
            self._pieces.append(memoryview(data))
            self.size += len(data)

    def pop(self, most: int) -> memoryview:
        """Take the next bytes, *most* of them at most; empty without any."""
        if not self._pieces:
            return memoryview(b"")
        piece = self._pieces.popleft()
        if len(piece) > most:
            self._pieces.appendleft(piece[most:])
            piece = piece[:most]
        self.size -= len(piece)
        return piece

    def clear(self) -> None:
        """Forget what waits."""
        self._pieces.clear()
        self.size = 0


class Schedule:
    """The streams of one connection that have something to send."""

    __slots__ = ("_blocked", "_h2", "_live", "_rest", "_sent")

    def __init__(self, h2: H2) -> None:
        self._h2 = h2
        self._live: deque[Outgoing] = deque()
        self._rest: deque[Outgoing] = deque()
        self._blocked: dict[int, Outgoing] = {}
        "Those that wait for their window or the connection's."
        self._sent: set[int] = set()
        "Streams of which something was sent."

    def add(self, out: Outgoing) -> None:
        """Send what *out* has, in its turn; no harm when it is known."""
        if not out.scheduled:
            out.scheduled = True
            self._queue_of(out).append(out)

    def drop(self, out: Outgoing) -> None:
        """Send nothing more of *out*."""
        out.clear()
        if out.scheduled:
            out.scheduled = False
            if self._blocked.pop(out.stream, None) is None:
                self._queue_of(out).remove(out)

    def opened(self, stream: int) -> None:
        """The window of *stream* has grown; 0: the connection's, or all."""
        if stream:
            out = self._blocked.pop(stream, None)
            if out is not None:
                self._queue_of(out).append(out)
            return
        for out in self._blocked.values():
            self._queue_of(out).append(out)
        self._blocked.clear()

    @property
    def waits(self) -> bool:
        """Something besides live media waits, and its window is open."""
        return bool(self._rest)

    def fill(self, most: int, *, live: bool) -> int:
        """Send about *most* bytes of streams of one kind in turn; return how many were sent, the ends of streams as one."""
        queue, sent = self._live if live else self._rest, 0
        while queue and sent < most:
            sent += self._send_frame(queue.popleft())
        return sent

    def take_sent(self) -> set[int]:
        """Return the streams of which something was sent since the last call."""
        sent, self._sent = self._sent, set()
        return sent

    def _send_frame(self, out: Outgoing) -> int:
        window = self._h2.window(out.stream) if out.size else 0
        if out.size and window <= 0:
            self._blocked[out.stream] = out
            return 0
        piece = out.pop(min(window, limits.HTTP2_FRAME_BYTES))
        last = out.ended and not out.size
        if len(piece) or last:
            self._h2.send_data(out.stream, piece, end=last)
            self._sent.add(out.stream)
        if out.size:
            self._queue_of(out).append(out)
        else:
            out.scheduled = False
        return max(1, len(piece))

    def _queue_of(self, out: Outgoing) -> deque[Outgoing]:
        return self._live if out.live else self._rest
