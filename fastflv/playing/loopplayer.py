"""A player that the event loop serves: those whose bytes TLS encrypts."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import sys
import termios
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv._ext.fanout.framing import frame_ends
from fastflv._ext.fanout.pace import bytes_per_second, limit_unsent, pace_socket
from fastflv._ext.log.block import MediaBlock
from fastflv.playing.player import Ended, Framing, Player, Wire
from fastflv.stream.endreason import EndReason
from fastflv.stream.lag import UNBEGUN, Beginning, Steps
from fastflv.stream.outlets import Outlet
from fastflv.stream.start import Start
from fastflv.stream.stream import StreamOptions

if TYPE_CHECKING:
    from fastflv.playing.players import Players


def unacked(sock: socket.socket) -> int:
    """Return the bytes in the kernel that the peer has not acknowledged; 0 when the connection is gone."""
    try:
        answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:
        return 0
    return int.from_bytes(answer, sys.byteorder)


class TransportWire:
    """The transport of a connection that has one player."""

    __slots__ = ("_transport",)

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        # Bytes that the event loop has buffered can be skipped no more. TLS pauses when the limit is reached, so not 0.
        transport.set_write_buffer_limits(high=1)

    @property
    def buffered(self) -> int:
        return self._transport.get_write_buffer_size()

    @property
    def socket(self) -> Any:
        return self._transport.get_extra_info("socket")

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._transport.write(data)


class LoopPlayer(Player):
    """A player that the event loop serves: TLS encrypts one large record per send."""

    __slots__ = (
        "_beginning",
        "_cursor",
        "_full_since",
        "_late",
        "_leave",
        "_looked",
        "_paced",
        "_paced_at",
        "_pictured",
        "_start",
        "_unread",
        "_wire",
    )  # fmt: skip

    def __init__(
        self,
        players: Players,
        options: StreamOptions,
        framing: Framing,
        ended: Ended,
        wire: Wire,
    ) -> None:
        super().__init__(players, options, framing, ended)
        self._wire = wire
        self._cursor: Cursor | None = None
        self._start: deque[memoryview] = deque()
        "What is left of what it begins with: handed over piece by piece, as the socket takes it."
        self._paced = 0
        self._paced_at = 0.0
        self._leave: Callable[[], None] | None = None
        self._full_since: float | None = players.now() if wire.buffered else None
        "When the full socket last took something."
        self._unread = self._unacked() if self._full_since is not None else 0
        "Bytes that were not acknowledged at the last look at the full socket."
        self._late = self._full_since is not None
        "The socket was full, and not all that it missed since was sent and acknowledged."
        self._looked = 0.0
        self._beginning = UNBEGUN
        self._pictured = False

    @property
    def sent(self) -> int:
        return self._bytes

    @property
    def full(self) -> bool:
        """The socket takes nothing now."""
        return self._full_since is not None

    @property
    def steps(self) -> Steps:
        return self._steps.then(self._cursor)

    @property
    def beginning(self) -> Beginning:
        return self._beginning

    def start(self, outlet: Outlet, start: Start, preamble: MediaBlock | None = None) -> None:
        self._cursor = Cursor(
            outlet.log,
            position=start.position,
            framing=self._framing,
            drop_ms=self._options.lag.drop_ms,
            jump_ms=self._options.lag.jump_ms,
            until_key=start.until_key,
        )
        head, tail = frame_ends(self._framing, len(start.block))
        pieces = (preamble if preamble is not None else b"", head, start.block, tail)
        self._start.extend(memoryview(piece) for piece in pieces if len(piece))
        self._players.given.add(outlet.starts)
        self._pictured = start.pictured
        if self._beginning is UNBEGUN and not (
            outlet.starts.has_video and (start.pictured or start.until_key)
        ):
            self._beginning = Beginning(key=-1.0)
        if self._wire.socket is not None:
            limit_unsent(self._wire.socket.fileno(), bytes_per_second(outlet.log))
        self._leave = self._players.ticker(outlet.log, self._options.merge_window_ms).join(self)
        self.serve(self._players.now())

    def serve(self, now: float) -> None:
        """Send what is new, unless the socket is full."""
        self._feed()
        cursor = self._cursor
        if cursor is None:
            return
        unacked = self._unacked() if self._late and self._full_since is None else -1
        while self._full_since is None:
            data = cursor.take(unacked)
            if not data:
                self._late = self._late and cursor.lag_ms > self._options.lag.drop_ms // 2
                self._pace(cursor, now)
                break
            self._write(data)
            if unacked >= 0:
                unacked += len(data)
        if not self._beginning.key and not self._start and (self._pictured or not cursor.waits):
            self._beginning = self._beginning._replace(key=now)
        if self._full_since is not None:
            self._look(cursor, now, self._full_since)
        elif cursor.expired:
            self._end(EndReason.CLOCK_RESTARTED, True)
        elif cursor.done:
            self._end(EndReason.STREAM_ENDED, True)

    def _feed(self) -> None:
        """Hand over what it begins with, as far as the socket takes it, and do then what waited for that."""
        while self._start and self._full_since is None:
            piece = self._start.popleft()
            if len(piece) > limits.LOOP_SEND_BYTES_MAX:
                self._start.appendleft(piece[limits.LOOP_SEND_BYTES_MAX :])
            self._write(piece[: limits.LOOP_SEND_BYTES_MAX])
        if self._start:
            return
        if self._words:
            words, self._words = self._words, b""
            self._write(words)
        if self._then is not None:
            then, self._then = self._then, None
            self._stop()
            then()

    def _pace(self, cursor: Cursor, now: float) -> None:
        """Have the kernel send no faster than the stream's rate asks for, looked at now and then."""
        sock = self._wire.socket
        if (
            self._options.pace_percent
            and sock is not None
            and now - self._paced_at > limits.RATE_SPAN_MS / 1000
        ):
            self._paced_at = now
            wanted = bytes_per_second(cursor.log) * self._options.pace_percent // 100
            self._paced = pace_socket(sock.fileno(), wanted, self._paced)

    def excuse(self, seconds: float) -> None:
        if self._full_since is not None:
            self._full_since += seconds
            self._looked = self._players.now() + seconds

    def _look(self, cursor: Cursor, now: float, full_since: float) -> None:
        """Disconnect a player whose socket takes too little."""
        lag_ms = 0
        if now - self._looked > limits.BLOCKED_CHECK_MS / 1000:
            self._looked = now
            unacked = self._unacked()
            if unacked < self._unread:
                full_since = self._full_since = now
            self._unread = unacked
            lag_ms = cursor.measure(unacked)
        if now - full_since > (limits.DRAIN_SECONDS if cursor.log.ended else limits.STALL_SECONDS):
            self._end(EndReason.STALLED, False)
        elif lag_ms > self._options.lag.close_ms:
            self._end(EndReason.TOO_SLOW, False)

    def _unacked(self) -> int:
        """Bytes handed to the wire that the peer has not acknowledged."""
        sock = self._wire.socket
        return (unacked(sock) if sock is not None else 0) + self._wire.buffered

    def say(self, data: bytes) -> None:
        if self._start:
            self._words += data
        else:
            self._write(data)
        if len(self._words) + self._wire.buffered > limits.ANSWER_BYTES_MAX:
            self._end(EndReason.UNREAD_ANSWERS, False)

    def halt(self, then: Callable[[], None]) -> None:
        self._then = then
        self._feed()

    def drop(self, reason: EndReason) -> None:
        self._end(reason, not self._start)

    def adopt(self, options: StreamOptions) -> None:
        before, self._options = self._options, options
        cursor = self._cursor
        if cursor is None:
            return
        cursor.drop_ms = options.lag.drop_ms
        cursor.jump_ms = options.lag.jump_ms
        if self._leave is not None and before.merge_window_ms != options.merge_window_ms:
            leave = self._leave
            self._leave = self._players.ticker(cursor.log, options.merge_window_ms).join(self)
            leave()

    def lost(self) -> None:
        self._end(EndReason.PEER_CLOSED, False)

    def pause_writing(self) -> None:
        """The socket is full."""
        self._late = True
        if self._full_since is None:
            self._full_since = self._players.now()
            self._unread = self._unacked()

    def resume_writing(self) -> None:
        self._full_since = None
        self.serve(self._players.now())

    def _write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._beginning.first:
            self._beginning = self._beginning._replace(first=self._players.now())
        self._bytes += len(data)
        self._wire.write(data)

    def _stop(self) -> None:
        self._start.clear()
        self._words = b""
        self._then = None
        if self._leave is not None:
            self._leave()
            self._leave = None
        if self._cursor is not None:
            self._steps = self._steps.then(self._cursor)
            self._cursor.close()
            self._cursor = None

    def _end(self, reason: EndReason, whole: bool) -> None:
        self._stop()
        self._report(reason, whole)
