"""HTTP/2 connections over asyncio: frames to requests, each to an exchange of its own; streams in turn to the socket.

Spec: RFC 9113.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from fastflv import limits
from fastflv._ext.fanout.pace import limit_unsent
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.deadline import Deadline
from fastflv.net.filepool import FileShare
from fastflv.net.peer import Peer
from fastflv.net.turns import Turns
from fastflv.protocols.http.exchange import Handler
from fastflv.protocols.http.h2 import H2, Asked, Cancelled, Ended, Event, Opened, Piece
from fastflv.protocols.http.h2budget import ErrorCode
from fastflv.protocols.http.h2schedule import Schedule
from fastflv.servers.http.dispatch import cross_domain_of, dispatch, fail
from fastflv.servers.http.h2exchange import H2Exchange
from fastflv.servers.http.h2stream import H2Stream

log = logging.getLogger(__name__)


class H2Connection(asyncio.Protocol):
    """One connection: its requests are answered side by side, each on its stream.

    Frames of all streams are written together, once in a turn of the loop. What waits for the socket stays with its
    stream, where a live player can still skip it.
    """

    __slots__ = (
        "__weakref__", "_clogged", "_deaf", "_driving", "_exchanges", "_h2", "_handler", "_heard", "_held", "_idle", "_limit", "_queued",
        "_said", "_schedule", "_silence", "_slow", "_touched", "_waking", "files", "loop", "peer", "transport", "turns",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handler: Handler,
        limit: ConnectionLimit,
        peer: Peer,
        turns: Turns,
        files: FileShare,
    ) -> None:
        """The connection holds one place of *limit*. *turns*: of the loop. *files*: the threads that send files."""
        self.loop = loop
        self.peer = peer
        self.turns = turns
        self.files = files
        self.transport: asyncio.Transport | None = None
        "None before the connection and after it."
        self._handler = handler
        self._limit = limit
        self._h2 = H2(peer)
        self._schedule = Schedule(self._h2)
        self._exchanges: dict[int, H2Exchange] = {}
        "Those whose stream is open, by its number."
        self._touched: set[int] = set()
        "Numbers of streams that were written to since the last flush."
        self._said = b""
        "Frames that wait for the socket, HTTP2_ANSWERS_BYTES_MAX and some."
        self._clogged = False
        "The socket takes nothing."
        self._driving = False
        self._deaf = False
        "The connection is being closed: input is discarded."
        self._queued = False
        "Input waits for a turn of the loop."
        self._slow = False
        "Answers besides live media wait for a turn of the loop."
        self._held = False
        "The socket is not read."
        self._waking = False
        "A flush comes with the next turn."
        self._heard = 0.0
        "When the client said something last, clock of the loop."
        self._idle = Deadline(turns, self._expire)
        self._silence = Deadline(turns, self._ask)

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        assert self.transport is not None
        # What the kernel has unsent cannot be skipped, and streams could not take turns in it.
        limit_unsent(int(transport.get_extra_info("socket").fileno()), 0)
        # TLS asks for a pause when the limit is reached, so not 0.
        self.transport.set_write_buffer_limits(high=1)
        self._heard = self.loop.time()
        self._idle.set(limits.HTTP_IDLE_SECONDS)
        self.wake()

    def data_received(self, data: bytes) -> None:
        if self.transport is None or self._deaf:
            return
        self._heard = self._silence.heard = self.loop.time()
        self._h2.feed(data)
        self.drive()

    def pause_writing(self) -> None:
        self._clogged = True

    def resume_writing(self) -> None:
        self._clogged = False
        self._flush()
        self.drive()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._idle.cancel()
        self._silence.cancel()
        self._limit.release(self.peer.socket_ip)
        exchanges, self._exchanges = self._exchanges, {}
        for exchange in exchanges.values():
            exchange.over()
            exchange.lost()
        self._touched.clear()

    # --- requests ---

    def drive(self) -> None:
        """Handle what was read, as far as the time of the turn allows."""
        if self._driving or self.transport is None or self._deaf:
            return
        h2 = self._h2
        self._driving = True
        blocked = False
        free = limits.HTTP2_FRAMES_FREE
        now = self.loop.time()
        try:
            while self.transport is not None and not self._deaf:
                if h2.events:
                    if not self._handle(h2.events[0]):
                        blocked = True
                        break
                    continue
                # Who does not read what it is answered is not listened to either.
                if self._clogged and self._keep_said() > limits.HTTP2_ANSWERS_BYTES_MAX:
                    blocked = True
                    break
                if free <= 0 and h2.unread and not self._has_turn():
                    blocked = True
                    break
                free -= 1
                if not h2.read(now):
                    break
        finally:
            self._driving = False
        if h2.fault is not None:
            log.info("http %s closed: %s", self.peer.ip, h2.fault.why, extra=self.peer.marks)
            self.close()
        elif h2.leaving and not self._exchanges:
            self.close()
        self._balance(blocked)
        self.wake()

    def _has_turn(self) -> bool:
        """Whether the loop has time for one more request or frame; if not, wait for a turn."""
        if self.turns.open():
            return True
        if not self._queued:
            self._queued = True
            self.turns.queue(self._take_turn)
        return False

    def _take_turn(self) -> None:
        self._queued = False
        self.drive()

    def _handle(self, event: Event) -> bool:
        """Handle the first event; False when it has to wait."""
        if isinstance(event, Asked) and (self._clogged or not self._has_turn()):
            return False
        self._h2.events.popleft()
        if isinstance(event, Opened):
            self._schedule.opened(event.stream)
        elif isinstance(event, Asked):
            self._begin(event)
        else:
            exchange = self._exchanges.get(event.stream)
            if exchange is not None:
                self._tell(exchange, event)
            elif isinstance(event, Piece):
                self._h2.taken(event.stream, event.size)
        return True

    def _tell(self, exchange: H2Exchange, event: Piece | Ended | Cancelled) -> None:
        if isinstance(event, Cancelled):
            self._forget(exchange)
            exchange.lost()
            return
        try:
            if isinstance(event, Piece):
                exchange.deliver(event)
            else:
                exchange.deliver_end()
        except Exception:
            fail(exchange)

    def _begin(self, asked: Asked) -> None:
        request = asked.request
        if not self._exchanges:
            self._idle.clear()
            self._silence.set(limits.HTTP2_PING_SECONDS)
        request.peer = self.peer.aside().told(request.headers, self._handler.trusted)
        allowed = cross_domain_of(self._handler, request)
        exchange = self._exchanges[asked.stream] = H2Exchange(
            self, asked.stream, request, cross_domain=allowed
        )
        if asked.refusal is not None:
            why = asked.refusal.body.decode()
            log.info("http %s: %s", self.peer.ip, why, extra=self.peer.marks)
            exchange.respond(asked.refusal)
        else:
            dispatch(self._handler, exchange)

    def _balance(self, blocked: bool) -> None:
        """Read the socket unless input waits."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        hold = blocked and not self._deaf and self._h2.unread >= limits.HTTP_HELD_BYTES_MAX
        if hold != self._held:
            self._held = hold
            if hold:
                transport.pause_reading()
            else:
                transport.resume_reading()

    # --- of exchanges and streams ---

    def send_head(self, stream: H2Stream, fields: Iterable[tuple[str, str]], *, end: bool = False) -> None:
        """Send the head of an answer, before any of its body. *end*: it has none."""
        if self.transport is not None and not self._deaf:
            self._h2.send_head(stream.stream, fields, end=end)
            self._touched.add(stream.stream)
            self.wake()

    def taken(self, piece: Piece) -> None:
        """A piece of a body is handled: its client may send as much again."""
        if self.transport is not None:
            self._h2.taken(piece.stream, piece.size)
            self.wake()

    def wake(self, stream: H2Stream | None = None) -> None:
        """Flush with the next turn of the loop; *stream* has something to send."""
        if stream is not None:
            self._touched.add(stream.stream)
            self._schedule.add(stream)
        if not self._waking and self.transport is not None:
            self._waking = True
            self.loop.call_soon(self._flush)

    def reset(self, stream: H2Stream, code: ErrorCode) -> None:
        """Break *stream* off."""
        exchange = self._exchanges.get(stream.stream)
        if exchange is not None and exchange.stream is stream:
            self._h2.reset(stream.stream, code)
            self._forget(exchange)
            self.wake()

    def _forget(self, exchange: H2Exchange) -> None:
        """The stream of *exchange* is over."""
        stream = exchange.stream
        self._schedule.drop(stream)
        self._touched.discard(stream.stream)
        del self._exchanges[stream.stream]
        exchange.over()
        if not self._exchanges:
            self._silence.clear()
            self._idle.set(limits.HTTP_KEEP_SECONDS)
            if self._h2.leaving:
                self.close()

    # --- output ---

    def _keep_said(self) -> int:
        """Take what the protocol says by itself; return how much of it waits."""
        self._said += self._h2.take()
        return len(self._said)

    def _flush(self) -> None:
        """Write what streams and the protocol have to say, as long as the socket takes it."""
        self._waking = False
        transport, schedule = self.transport, self._schedule
        if transport is None:
            return
        first = True
        while not self._clogged:
            media = schedule.fill(limits.HTTP_TLS_WRITE_BYTES, live=True)
            if not media and schedule.waits and not self._slow:
                if first or self.turns.open():
                    schedule.fill(limits.HTTP_TLS_WRITE_BYTES, live=False)
                    first = False
                else:
                    self._slow = True
                    self.turns.queue(self._go_on)
            self._keep_said()
            if not self._said:
                break
            data, self._said = self._said, b""
            transport.write(data)
        sent = schedule.take_sent()
        for number in sent | self._touched:
            exchange = self._exchanges.get(number)
            if exchange is not None:
                self._judge(exchange, number in sent)
        self._touched.clear()

    def _judge(self, exchange: H2Exchange, sent: bool) -> None:
        """A flush is over. *sent*: it took something of the exchange."""
        stream = exchange.stream
        if not stream.ended or stream.scheduled:
            stream.flushed(sent)
            return
        if not exchange.whole:
            # The answer is complete, and the rest of the request is of no use (RFC 9113, 8.1).
            self._h2.reset(stream.stream, ErrorCode.NO_ERROR)
            self.wake()
        self._forget(exchange)

    def _go_on(self) -> None:
        self._slow = False
        self._flush()

    # --- ends ---

    def leave(self) -> None:
        """Take no more requests; close when those that are there are answered."""
        if self.transport is None or self._deaf or self._h2.leaving:
            return
        self._h2.leave()
        self.wake()
        if not self._exchanges:
            self.close()

    def close_if_idle(self) -> bool:
        """Take no more requests; return whether none is in progress."""
        self.leave()
        return not self._exchanges

    def close(self) -> None:
        """Close when everything written is sent; exchanges are lost."""
        transport = self.transport
        if transport is None or self._deaf:
            return
        self._h2.leave()
        self._deaf = True
        self._keep_said()
        exchanges, self._exchanges = self._exchanges, {}
        for exchange in exchanges.values():
            self._schedule.drop(exchange.stream)
            exchange.over()
            exchange.lost()
        self._silence.cancel()
        self._idle.set(limits.HTTP_IDLE_SECONDS)
        self._flush()
        transport.close()

    def _expire(self) -> None:
        """Close a connection without requests, or cut one that does not end."""
        if self.transport is None:
            return
        if self._deaf:
            self.transport.abort()
        else:
            self.close()

    def _ask(self) -> None:
        """Ask a silent client whether it is there, or give it up."""
        if self.transport is None or self._deaf:
            return
        left = self._heard + limits.HTTP2_SILENCE_SECONDS - self.loop.time()
        if left <= 0:
            log.info(
                "http %s closed: no answer to a PING for %.0f s",
                self.peer.ip, limits.HTTP2_SILENCE_SECONDS, extra=self.peer.marks,
            )  # fmt: skip
            self.transport.abort()
            return
        self._h2.ping()
        self._silence.set(min(limits.HTTP2_PING_SECONDS, left))
        self.wake()
