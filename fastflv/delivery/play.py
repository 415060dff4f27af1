"""One player's media: from an outlet's log to its socket, by a sender thread or by the event loop.

A play is told what to send and says when it ended; it knows no protocol but its framing. What its
owner says in between (answers, control frames) goes out between two frames.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import sys
import termios
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from fastflv import limits
from fastflv._ext.cursor import Cursor, frame
from fastflv._ext.pace import bytes_per_second, limit_unsent
from fastflv._ext.segment import MediaBlock
from fastflv._ext.sender import Player
from fastflv.stream.lag import Steps
from fastflv.stream.outlet import Outlet
from fastflv.stream.startblock import Start
from fastflv.stream.stream import StreamOptions

if TYPE_CHECKING:
    from fastflv.delivery.fanout import Fanout


SO_MAX_PACING_RATE: Final = 47
"Linux, asm-generic/socket.h; Python has no name for it."


class Framing(IntEnum):
    """What stands around the bytes of a log."""

    RAW = 0
    CHUNKED = 1
    "HTTP chunks, RFC 9112, 7.1."
    WEBSOCKET = 2
    "Binary messages of a server, RFC 6455, 5.2."


def unacked(sock: socket.socket) -> int:
    """Return the bytes in the kernel that the peer has not acknowledged; 0 when the connection is gone."""
    try:
        answer = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:
        return 0
    return int.from_bytes(answer, sys.byteorder)


Ended = Callable[[str, bool], None]
"Called once with the reason, and whether the connection can still be written to (nothing is half sent)."


class Play(Protocol):
    """What the owner of a player's connection holds."""

    @property
    def sent(self) -> int: ...

    @property
    def received(self) -> int: ...

    @property
    def steps(self) -> Steps: ...

    def start(self, outlet: Outlet, start: Start, preamble: MediaBlock | None = None) -> None:
        """Send *preamble* (no framing), the start block, then the log."""

    def say(self, data: bytes) -> None:
        """Send *data* between two frames."""

    def halt(self, then: Callable[[], None]) -> None:
        """Send nothing more behind the present tag, and call *then*; `start` may follow."""

    def kick(self) -> None:
        """End it at once."""

    def lost(self) -> None:
        """The connection is gone."""

    def resume_writing(self) -> None:
        """The transport's buffer is empty again."""


class Next(NamedTuple):
    """What a sender thread is given when it takes a player over."""

    block: MediaBlock | None
    position: int
    preamble: MediaBlock | None


class ThreadPlay:
    """A player that a sender thread serves, through a descriptor of its own.

    With a *transport* the event loop keeps reading the connection and may write while nothing is half
    sent: to `say` something the player is called back, and goes on where it left.
    """

    __slots__ = (
        "_bytes", "_ended", "_fanout", "_fd", "_framing", "_held", "_next", "_options", "_outlet",
        "_over", "_player", "_steps", "_then", "_transport", "_why", "_words",
    )  # fmt: skip

    def __init__(
        self,
        fanout: Fanout,
        options: StreamOptions,
        framing: Framing,
        ended: Ended,
        *,
        fd: int = -1,
        transport: asyncio.Transport | None = None,
    ) -> None:
        self._fanout = fanout
        self._options = options
        self._framing = framing
        self._ended = ended
        self._fd = fd
        self._transport = transport
        if transport is not None:
            # The event loop says when its last byte is in the socket.
            transport.set_write_buffer_limits(high=0)
        self._player: Player | None = None
        self._outlet: Outlet | None = None
        self._held = False
        self._why = ""
        "Why it ends, where the sender thread does not know."
        self._over = False
        self._next = Next(None, -1, None)
        self._then: Callable[[], None] | None = None
        self._words = bytearray()
        self._bytes = 0
        self._steps = Steps()

    @property
    def sent(self) -> int:
        return self._bytes + (self._player.sent if self._player is not None else 0)

    @property
    def received(self) -> int:
        return 0

    @property
    def steps(self) -> Steps:
        return self._steps.then(self._player)

    def start(self, outlet: Outlet, start: Start, preamble: MediaBlock | None = None) -> None:
        self._outlet = outlet
        self._hold(Next(start.block, start.position, preamble))
        self.resume_writing()

    def _hold(self, following: Next) -> None:
        """What comes next waits until all that the event loop wrote is in the socket; the outlet stays meanwhile."""
        assert self._outlet is not None
        self._held = True
        self._next = following
        self._outlet.holds += 1

    def _add(self) -> None:
        assert self._outlet is not None
        if self._fanout.stopping:
            self._end("server stops", True)
            return
        block, position, preamble = self._next
        fd, self._fd = self._fd, -1
        if self._transport is not None:
            try:
                fd = os.dup(self._transport.get_extra_info("socket").fileno())
            except OSError:
                self._end("no descriptor left", True)
                return
        self._player = self._fanout.sender.add(
            fd,
            self._outlet.log,
            framing=self._framing,
            preamble=preamble,
            start=block if block is not None and len(block) else None,
            position=position,
            window_ms=self._options.window_ms,
            drop_ms=self._options.lag.drop_ms,
            jump_ms=self._options.lag.jump_ms,
            close_ms=self._options.lag.close_ms,
            pace_percent=self._options.pace_percent,
            nodelay=self._options.nodelay,
            owner=self,
        )

    def say(self, data: bytes) -> None:
        assert self._transport is not None
        if self._player is None and not self._held:
            self._transport.write(data)
            unread = self._transport.get_write_buffer_size()
        else:
            self._words += data
            unread = len(self._words)
        if unread > limits.ANSWER_BYTES_MAX:
            # It asks and does not read the answers.
            self._give_up("unread answers")
        elif self._player is not None:
            self._fanout.sender.recall(self._player)

    def halt(self, then: Callable[[], None]) -> None:
        if self._player is None:
            self._let_go()
            self._flush()
            then()
            return
        self._then = then
        self._fanout.sender.recall(self._player)

    def kick(self) -> None:
        if self._player is not None:
            self._fanout.sender.kick(self._player)
        else:
            self._end("kicked", True)

    def lost(self) -> None:
        self._give_up("peer closed")

    def _give_up(self, reason: str) -> None:
        self._why = reason
        self._words.clear()
        if self._player is not None:
            self._fanout.sender.kick(self._player)
        else:
            self._end(reason, False)

    def resume_writing(self) -> None:
        if self._held and (self._transport is None or not self._transport.get_write_buffer_size()):
            self._let_go()
            self._add()
            if self._words and self._player is not None:
                self._fanout.sender.recall(self._player)

    def left(self, player: Player) -> None:
        """The sender thread let it go."""
        self._bytes += player.sent
        self._steps = self._steps.then(player)
        self._player = None
        if self._why:
            self._end(self._why, False)
            return
        if player.whole:
            self._flush()
        if player.reason != "recalled":
            self._end(player.reason, player.whole)
            return
        then, self._then = self._then, None
        if then is not None:
            then()
            return
        self._hold(Next(None, player.position, None))
        self.resume_writing()

    def _flush(self) -> None:
        words, self._words = self._words, bytearray()
        if words and self._transport is not None:
            self._bytes += len(words)
            self._transport.write(words)

    def _let_go(self) -> None:
        if self._held and self._outlet is not None:
            self._held = False
            self._outlet.holds -= 1

    def _end(self, reason: str, whole: bool) -> None:
        self._let_go()
        if not self._over:
            self._over = True
            self._ended(self._fanout.reason(reason), whole)


class LoopPlay:
    """A player that the event loop serves through its transport: TLS encrypts one large record per send."""

    __slots__ = (
        "_bytes", "_cursor", "_ended", "_fanout", "_framing", "_full_since", "_late", "_leave", "_looked", "_options",
        "_over", "_steps", "_transport",
    )  # fmt: skip

    def __init__(
        self,
        fanout: Fanout,
        options: StreamOptions,
        framing: Framing,
        ended: Ended,
        transport: asyncio.Transport,
    ) -> None:
        self._fanout = fanout
        self._options = options
        self._framing = framing
        self._ended = ended
        self._transport = transport
        # What the event loop has buffered cannot be skipped any more: it stops at what the socket does not take.
        transport.set_write_buffer_limits(high=1)
        self._cursor: Cursor | None = None
        self._leave: Callable[[], None] | None = None
        self._full_since: float | None = None
        self._late = False
        "The socket was full, and not all that it missed since was sent and acknowledged."
        self._looked = 0.0
        self._over = False
        self._bytes = 0
        self._steps = Steps()

    @property
    def sent(self) -> int:
        return self._bytes

    @property
    def received(self) -> int:
        return 0

    @property
    def full(self) -> bool:
        """The socket takes nothing now."""
        return self._full_since is not None

    @property
    def steps(self) -> Steps:
        return self._steps.then(self._cursor)

    def start(self, outlet: Outlet, start: Start, preamble: MediaBlock | None = None) -> None:
        self._cursor = Cursor(
            outlet.log,
            position=start.position,
            framing=self._framing,
            drop_ms=self._options.lag.drop_ms,
            jump_ms=self._options.lag.jump_ms,
        )
        first = (bytes(preamble) if preamble is not None else b"") + frame(self._framing, bytes(start.block))
        if first:
            self._write(first)
        rate = bytes_per_second(outlet.log)
        sock = self._transport.get_extra_info("socket")
        limit_unsent(sock.fileno(), rate)
        if self._options.pace_percent and rate:
            sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, rate * self._options.pace_percent // 100)
        self._leave = self._fanout.relay(outlet.log, self._options.window_ms).join(self)
        self.serve(self._fanout.now())

    def serve(self, now: float) -> None:
        """Send what is new, unless the socket is full."""
        cursor = self._cursor
        if cursor is None:
            return
        unacked = self._unacked() if self._late and self._full_since is None else -1
        while self._full_since is None:
            data = cursor.take(unacked)
            if not data:
                self._late = self._late and cursor.lag_ms > self._options.lag.drop_ms // 2
                break
            self._write(data)
            if unacked >= 0:
                unacked += len(data)
        if self._full_since is not None:
            self._look(cursor, now, self._full_since)
        elif cursor.done:
            if self._framing is Framing.CHUNKED:
                self._write(b"0\r\n\r\n")
            self._end("stream ended", True)

    def _look(self, cursor: Cursor, now: float, full_since: float) -> None:
        """Let go of a player whose socket takes too little."""
        if now - full_since > (limits.DRAIN_SECONDS if cursor.log.ended else limits.STALL_SECONDS):
            self._end("stalled", False)
        elif now - self._looked > limits.BLOCKED_CHECK_MS / 1000:
            self._looked = now
            if cursor.measure(self._unacked()) > self._options.lag.close_ms:
                self._end("too slow", False)

    def _unacked(self) -> int:
        """Bytes handed to the transport that the peer has not acknowledged."""
        return unacked(self._transport.get_extra_info("socket")) + self._transport.get_write_buffer_size()

    def say(self, data: bytes) -> None:
        self._write(data)
        if self._transport.get_write_buffer_size() > limits.ANSWER_BYTES_MAX:
            self._end("unread answers", False)

    def halt(self, then: Callable[[], None]) -> None:
        self._stop()
        then()

    def kick(self) -> None:
        self._end("kicked", True)

    def lost(self) -> None:
        self._end("peer closed", False)

    def pause_writing(self) -> None:
        """The socket is full."""
        self._late = True
        if self._full_since is None:
            self._full_since = self._fanout.now()

    def resume_writing(self) -> None:
        self._full_since = None
        self.serve(self._fanout.now())

    def _write(self, data: bytes) -> None:
        self._bytes += len(data)
        self._transport.write(data)

    def _stop(self) -> None:
        if self._leave is not None:
            self._leave()
            self._leave = None
        if self._cursor is not None:
            self._steps = self._steps.then(self._cursor)
            self._cursor.close()
            self._cursor = None

    def _end(self, reason: str, whole: bool) -> None:
        self._stop()
        if not self._over:
            self._over = True
            self._ended(self._fanout.reason(reason), whole)
