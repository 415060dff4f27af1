"""HTTP/1.x connections over asyncio: bytes to requests, requests to a handler, time limits and back-pressure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from fastflv import limits
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.deadline import Deadline
from fastflv.net.filepool import FileShare
from fastflv.net.peer import Peer
from fastflv.net.peerlog import peer_logger
from fastflv.net.quiet import QuietSockets
from fastflv.net.turns import Turns
from fastflv.protocols.http.exchange import Handler, UpgradedProtocol
from fastflv.protocols.http.h1 import END, H1, Refusal
from fastflv.protocols.http.heads import sized_head
from fastflv.protocols.http.message import Request
from fastflv.servers.http.dispatch import cross_domain_of, dispatch, fail
from fastflv.servers.http.h1exchange import H1Exchange
from fastflv.servers.http.transmit import Transmit

log = peer_logger(__name__)


class HttpConnection(asyncio.Protocol):
    """One connection: its requests are answered one at a time, in order.

    The handler gets an exchange when a head is complete. The next request is handled when the exchange before
    is over: its request read to the end, its answer handed over.
    """

    __slots__ = (
        "_deaf", "_driving", "_exchange", "_h1", "_handler", "_held", "_in_head", "_limit", "_out", "_patience",
        "_queued", "_quiet", "_turns", "_unread", "_unsent_before", "deadline", "files", "loop", "peer", "transport",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handler: Handler,
        limit: ConnectionLimit,
        peer: Peer,
        turns: Turns,
        quiet: QuietSockets,
        files: FileShare,
    ) -> None:
        """The connection holds one place of *limit*. *turns*, *quiet*: of the loop. *files*: the threads that send files."""
        self.loop = loop
        self.peer = peer
        self.files = files
        self.transport: asyncio.Transport | None = None
        "None before the connection, after it, and when it belongs to another protocol."
        self.deadline = Deadline(turns, self._expire)
        self._out: Transmit | None = None
        self._handler = handler
        self._limit = limit
        self._turns = turns
        self._quiet = quiet
        self._h1: H1 | None = None
        self._exchange: H1Exchange | None = None
        self._unread = b""
        "Input that is not parsed: the rest of one read."
        self._driving = False
        self._deaf = False
        "The connection is being closed: input is discarded."
        self._queued = False
        "What was read waits for a turn of the loop."
        self._held = False
        "The socket is not read."
        self._in_head = False
        "The deadline counts for a head."
        self._unsent_before = 0
        self._patience = limits.HTTP_IDLE_SECONDS

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._out = Transmit(transport, self._turns, self._filled)  # type: ignore[arg-type]
        self._h1 = H1(self.peer)
        self._quiet.heard(self.transport)  # type: ignore[arg-type]
        self.deadline.set(limits.HTTP_IDLE_SECONDS)

    def data_received(self, data: bytes) -> None:
        if self.transport is None or self._deaf:
            return
        self._quiet.heard(self.transport)
        exchange = self._exchange
        if exchange is not None and exchange.last and exchange.whole:
            # Nothing behind the last answer is asked; a full receive buffer would hide the client's end.
            return
        self._unread = self._unread + data if self._unread else data
        self.drive()

    def pause_writing(self) -> None:
        if self._out is not None:
            self._out.pause()

    def resume_writing(self) -> None:
        if self._out is not None:
            self._out.resume()

    def _filled(self, full: bool) -> None:
        """More is buffered than should be, or no more."""
        exchange = self._exchange
        if full:
            if exchange is not None:
                exchange.full()
            self._balance(False)
            return
        if exchange is not None:
            exchange.drained()
        self.drive()

    def connection_lost(self, exc: Exception | None) -> None:
        transport, self.transport = self.transport, None
        if transport is None:
            # A sender thread has taken the socket.
            return
        self._free()
        self._quiet.forget(transport)
        self._limit.release(self.peer.socket_ip)
        self._give_up()

    # --- requests ---

    def drive(self) -> None:
        """Handle what was read, as far as the answers before and the time of the turn allow."""
        if self._driving or self.transport is None:
            return
        h1 = self._h1
        assert h1 is not None
        self._driving = True
        blocked = fed = False
        try:
            while not self._deaf and self.transport is not None:
                if h1.events:
                    if self._handle_event(h1):
                        continue
                    blocked = self._queued or self._is_blocked(h1)
                    if blocked or self._deaf:
                        break
                if not self._unread or h1.upgrading:
                    blocked = bool(self._unread)
                    break
                # The first piece is free: media of a body must not wait behind the requests of others.
                if fed and not self._has_turn():
                    blocked = True
                    break
                fed = True
                piece = self._unread[: limits.HTTP_READ_BYTES]
                self._unread = self._unread[limits.HTTP_READ_BYTES :]
                h1.feed(piece)
        finally:
            self._driving = False
        self._balance(blocked)
        if h1.in_head != self._in_head and self._exchange is None and not self._deaf:
            # From its first byte on, a head has no more time than the first one had.
            self._in_head = h1.in_head
            if self._in_head:
                self.deadline.set(limits.HTTP_IDLE_SECONDS)

    def _has_turn(self) -> bool:
        """Whether the loop has time for one more request or piece of input; if not, wait for a turn."""
        if self._turns.open():
            return True
        if not self._queued:
            self._queued = True
            self._turns.queue(self._take_turn)
        return False

    def _take_turn(self) -> None:
        self._queued = False
        self.drive()

    def _handle_event(self, h1: H1) -> bool:
        """Handle the first event; False when it has to wait."""
        event = h1.events[0]
        exchange = self._exchange
        if isinstance(event, Request):
            if exchange is not None or self.full or not self._has_turn():
                return False
            h1.events.popleft()
            self._begin(event)
        elif isinstance(event, Refusal):
            if exchange is not None and exchange.answered and not exchange.done:
                return False
            h1.events.popleft()
            if exchange is None or not exchange.answered:
                self._refuse(event)
            else:
                # Its message was answered before its end was read.
                self.close(linger=True)
        else:
            assert exchange is not None
            if not exchange.takes(event is not END):
                return False
            h1.events.popleft()
            try:
                if isinstance(event, bytes):
                    exchange.deliver(event)
                else:
                    exchange.deliver_end()
            except Exception:
                fail(exchange)
            self._go_on_after(exchange)
        return True

    def _is_blocked(self, h1: H1) -> bool:
        """Judge what waits behind an unanswered request; whether no more may be read."""
        exchange = self._exchange
        answered = exchange is not None and exchange.answered
        last = h1.events[-1]
        if isinstance(last, Refusal) and not answered:
            # The client broke the protocol: the answers that it waits for are of no use.
            self._refuse(last)
            return True
        waiting = sum(isinstance(event, Request) for event in h1.events)
        return (
            self.full
            or waiting > limits.HTTP_PIPELINE_MAX
            or any(isinstance(event, bytes) for event in h1.events)
        )

    def _begin(self, request: Request) -> None:
        self.deadline.clear()
        self._in_head = False
        request.peer = self.peer.told(request.headers, self._handler.trusted)
        allowed = cross_domain_of(self._handler, request)
        exchange = self._exchange = H1Exchange(self, request, cross_domain=allowed)
        dispatch(self._handler, exchange)

    def _go_on_after(self, exchange: H1Exchange) -> None:
        if exchange is self._exchange and exchange.done and exchange.whole:
            self._exchange = None

    def _balance(self, blocked: bool) -> None:
        """Read the socket unless input waits, or answers do that the client does not read."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        exchange = self._exchange
        if blocked and not self.full and exchange is not None and exchange.undecided:
            # A socket that is not read does not show that its client is gone.
            blocked = len(self._unread) >= limits.HTTP_HELD_BYTES_MAX
        hold = not self._deaf and (blocked or (self.full and exchange is None))
        if hold != self._held:
            self._held = hold
            if hold:
                self._quiet.forget(transport)
                transport.pause_reading()
            else:
                transport.resume_reading()
                self._quiet.heard(transport)

    # --- of the exchange ---

    @property
    def secure(self) -> bool:
        """Behind TLS."""
        return self._out is not None and self._out.secure

    def fileno(self) -> int:
        """Descriptor of the socket; it stays the transport's."""
        assert self.transport is not None
        return int(self.transport.get_extra_info("socket").fileno())

    @property
    def full(self) -> bool:
        """More is buffered than should be."""
        return self._out is not None and self._out.full

    @property
    def buffered(self) -> int:
        """Bytes written that the kernel has not taken."""
        return self._out.buffered if self._out is not None else 0

    def write(self, data: bytes | bytearray | memoryview, *, urgent: bool = False) -> None:
        """*urgent*: media, which waits for no turn."""
        if self._out is not None:
            self._out.write(data, urgent=urgent)

    def limit_buffer(self, high: int | None) -> None:
        """Call `full` of the exchange when more than *high* bytes are buffered; None: as usual."""
        if self._out is not None:
            self._out.limit(high)

    def flush(self) -> bool:
        """Return whether nothing is buffered; if not, `drained` of the exchange is called when that is so."""
        if self.buffered:
            self.limit_buffer(0)
        return not self.full

    def answered(self, exchange: H1Exchange) -> None:
        """The exchange is answered: go on with the next request, or close."""
        self.limit_buffer(None)
        if exchange.last:
            self.close(linger=not exchange.whole and exchange.request.length != 0)
            return
        if self._unsent:
            self.watch()
        else:
            self.deadline.set(limits.HTTP_KEEP_SECONDS)
        assert self._h1 is not None
        if self._h1.upgrading:
            self._h1.decline_upgrade()
        self._go_on_after(exchange)
        if not self._driving:
            self.loop.call_soon(self.drive)

    def watch(self, seconds: float | None = None) -> None:
        """Drop a client that takes nothing of an answer for this long; None: HTTP_IDLE_SECONDS."""
        self._patience = limits.HTTP_IDLE_SECONDS if seconds is None else seconds
        self._unsent_before = self._unsent
        self.deadline.set(self._patience)

    def let_go(self) -> None:
        """End this object; a duplicate of the descriptor keeps the connection, and its place in the limit."""
        transport, self.transport = self.transport, None
        self._free()
        self._exchange = None
        if transport is not None:
            self._quiet.forget(transport)
            # Closing a descriptor that has a duplicate sends nothing.
            transport.abort()

    @property
    def is_idle(self) -> bool:
        """Neither a byte of a request nor of an answer is under way: whoever has the socket may go on."""
        h1 = self._h1
        if self._exchange is not None or self._unread or self._deaf or self._unsent or h1 is None:
            return False
        return not (h1.in_head or h1.events or h1.upgrading)

    def close_if_idle(self) -> bool:
        """Close the connection if no request is in progress; return whether none is."""
        if self.is_idle:
            self.close()
        return self._deaf or self.transport is None

    @property
    def leaving(self) -> bool:
        """The server quits: no connection is kept for another request."""
        return self._limit.leaving

    @property
    def leave(self) -> Callable[[], None]:
        """What gives back the place in the limit."""
        return partial(self._limit.release, self.peer.socket_ip)

    def hand_over(self, protocol: UpgradedProtocol, head: bytes) -> None:
        """Answer with *head*, and let *protocol* read the connection from now on."""
        transport, self.transport = self.transport, None
        assert transport is not None and self._h1 is not None
        self._quiet.forget(transport)
        transport.write(head)
        transport.set_protocol(protocol)  # type: ignore[arg-type]
        rest = self._h1.take_rest() + self._unread
        self._free()
        self._exchange = None
        protocol.connection_made(transport)
        if rest:
            self.loop.call_soon(protocol.data_received, rest)
        if self._held:
            transport.resume_reading()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    # --- to another process ---

    @property
    def begun(self) -> bytes | None:
        """What another reader reads first to go on within the present body; None where it cannot."""
        exchange, h1 = self._exchange, self._h1
        if exchange is None or h1 is None or self.transport is None or self.transport.is_closing():
            return None
        if (
            exchange.answered
            or exchange.whole
            or h1.events
            or self._unread
            or self._deaf
            or self.secure
            or self.buffered
        ):
            return None
        return h1.begun(exchange.left)

    def resume(self, request: Request, begun: bytes) -> H1Exchange:
        """Go on within the body of *request*, which another process began to read. *begun*: as there."""
        assert self._h1 is not None
        self._h1.go_on(begun)
        self.deadline.clear()
        allowed = cross_domain_of(self._handler, request)
        exchange = self._exchange = H1Exchange(self, request, cross_domain=allowed)
        return exchange

    # --- ends ---

    def _free(self) -> None:
        """Free what refers back to this object."""
        self.deadline.cancel()
        if self._out is not None:
            self._out.forget()
            self._out = None
        if self._h1 is not None:
            self._h1.close()

    def close(self, *, linger: bool = False) -> None:
        """Close when everything written is sent. *linger*: the client may still send."""
        transport = self.transport
        if transport is None or self._deaf:
            return
        self._deaf = True
        self._unread = b""
        self._balance(False)
        self._unsent_before = self._unsent
        if linger:
            # Closing with bytes unread would reset the connection, and the answer with it: read them away for a
            # while. TLS has no half-closed connections; there the deadline ends them.
            if transport.can_write_eof():
                transport.write_eof()
            self.deadline.set(limits.HTTP_LINGER_SECONDS)
        else:
            self.deadline.set(limits.HTTP_IDLE_SECONDS)
            if self._out is not None:
                self._out.close()

    def _refuse(self, refusal: Refusal) -> None:
        if self.transport is None or self._deaf:
            return
        log.info("http %s: %s", self.peer.ip, refusal.why, extra=self.peer.marks)
        self._give_up()
        response = refusal.response
        self.write(sized_head(response, len(response.body), keep_alive=False) + response.body)
        self.close(linger=True)

    def _give_up(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.lost()

    def _expire(self) -> None:
        """Close a connection whose client asks nothing, sends nothing, or takes nothing of an answer."""
        transport, exchange = self.transport, self._exchange
        if transport is None:
            return
        unsent = self._unsent
        if unsent and unsent < self._unsent_before:
            self.watch(self._patience)
        elif unsent or self._deaf or (exchange is not None and exchange.answered and not exchange.done):
            # A polite close would wait for the client.
            transport.abort()
        elif exchange is not None and exchange.done:
            self.close(linger=True)
        else:
            self._give_up()
            self.close()

    @property
    def _unsent(self) -> int:
        """Bytes of answers that the client has not taken, 0 when the kernel has them all."""
        more = self._exchange.unsent if self._exchange is not None else 0
        return self._out.unsent(more) if self._out is not None else 0
