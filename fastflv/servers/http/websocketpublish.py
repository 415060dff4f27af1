"""Publishing by WebSocket: binary messages carry an FLV byte stream, cut anywhere.

    const socket = new WebSocket("wss://host/live/name.flv?publish")

The handshake waits for the gate, so that an open socket may send at once. Spec: RFC 6455.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from wsproto import WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage

from fastflv import limits
from fastflv.access.request import AccessRequest, Action
from fastflv.net.deadline import Deadline, after
from fastflv.protocols.http.bodyplace import ClientFrames
from fastflv.protocols.http.exchange import Exchange
from fastflv.servers.http.accessrequest import access_request
from fastflv.servers.http.refusal import CLOSE_CODES as REFUSED_CODES
from fastflv.servers.http.refusal import publish_refusal
from fastflv.servers.http.websocket import CLOSE_CODES, HEARD, Handshake, RefusedWebSocket
from fastflv.servers.push.intake import Intake, Intakes
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.pendingpublish import PublishRefused

log = logging.getLogger(__name__)

NOT_BINARY: Final = 1003
NOT_FLV: Final = 1007
"Close codes for text, and for bytes that are no FLV (RFC 6455, 7.4.1)."


class WebSocketPublish(asyncio.Protocol):
    """One publish, from its handshake on. Frames are read in small pieces: each costs Python code, however short it is."""

    def __init__(
        self,
        intakes: Intakes,
        ws: WSConnection,
        request: AccessRequest,
        name: StreamName,
        leave: Callable[[], None],
    ) -> None:
        """*leave* gives back the place in the limit of connections."""
        self._turns = intakes.turns
        self._exchange: Exchange | None = None
        "None once the handshake is answered."
        self._fields: dict[str, str] = {}
        "Of its answer."
        self._leave = leave
        self._name = name
        self._ws = ws
        self._frames = ClientFrames()
        self._peer = request.peer
        self._intake = Intake(intakes, self, request, name)
        self._transport: asyncio.Transport | None = None
        self._unread = b""
        self._at = 0
        "Offset of the first byte of it that is not read; more than one read of the socket never waits."
        self._events: deque[Event] = deque()
        "Frames behind script data that waits for a turn of the loop."
        self._held = False
        self._queued = False
        self._timer: Deadline | None = None
        "Runs from the first close frame on, and cuts the peer off."
        self.sent = 0
        "Bytes of control frames."

    @classmethod
    def begin(
        cls, intakes: Intakes, exchange: Exchange, name: StreamName, handshake: Handshake
    ) -> WebSocketPublish:
        """Ask the gate about the WebSocket that *exchange* asks for; return what reads it."""
        scheme = "wss" if exchange.request.peer.secure else "ws"
        request = access_request(exchange.request, Action.PUBLISH, name, "flv-publish", scheme)
        publish = cls(intakes, handshake.ws, request, name, exchange.leave)
        publish._exchange, publish._fields = exchange, handshake.fields
        exchange.on_lost = publish._intake.cancel
        publish._intake.begin()
        return publish

    # --- to another process ---

    @property
    def carried(self) -> tuple[asyncio.Transport, bytes] | None:
        """Its transport, and what a reader that goes on reads first; None while anything else is under way."""
        transport, begun = self._transport, self._frames.begun
        if transport is None or transport.is_closing() or begun is None or self._timer is not None:
            return None
        if self._held or self._unread or self._events or self._ws.state is not ConnectionState.OPEN:
            return None
        if transport.get_write_buffer_size() or transport.get_extra_info("ssl_object") is not None:
            return None
        return transport, begun

    def part(self) -> None:
        """Another process goes on with the socket: free what this one holds. Nothing is sent."""
        transport, self._transport = self._transport, None
        assert transport is not None
        transport.set_protocol(asyncio.Protocol())
        # Closing a descriptor that has a duplicate sends nothing.
        transport.abort()
        self._leave()

    def go_on(self, begun: bytes, sent: int) -> Intake:
        """Go on with a publish that another process has handed over; return its intake. *begun*: as `carried` has it."""
        self.sent = sent
        self._frames.take(begun)
        self._ws.receive_data(begun)
        # Of a message that is known.
        list(self._ws.events())
        return self._intake

    # --- Carrier ---

    def admitted(self) -> None:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        exchange.on_lost = None
        if not exchange.upgrade(self, self._fields):
            self._intake.cancel()

    def refused(self, refused: PublishRefused) -> None:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        exchange.on_lost = None
        code = REFUSED_CODES.get(refused.failure)
        if code is None:
            exchange.respond(publish_refusal(refused, self._name.url))
            return
        socket = RefusedWebSocket(self._turns, self._ws, code, refused.reason, exchange.leave)
        exchange.upgrade(socket, self._fields)

    def failed(self, why: str) -> None:
        self._close(NOT_FLV, why)

    def dropped(self, reason: EndReason) -> None:
        self._close(CLOSE_CODES.get(reason, 1008), reason.value)

    def pause(self) -> None:
        self._held = True

    def resume(self) -> None:
        self._held = False
        self._read_on()

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._unread = self._unread[self._at :] + data if self._unread else data
        self._at = 0
        self._read_on()

    def connection_lost(self, exc: Exception | None) -> None:
        try:
            self._intake.cancel()
        finally:
            self._transport = None
            self._forget()
            if self._timer is not None:
                self._timer.cancel()
            self._leave()

    # --- frames ---

    def _read_on(self) -> None:
        """Read frames as long as the turn has time; the first piece is free, as that of an HTTP body is."""
        fed = False
        while not self._held and self._transport is not None:
            if self._events:
                self._take(self._events.popleft())
            elif self._at >= len(self._unread) or self._ws.state not in HEARD:
                break
            elif fed and not self._turns.open():
                if not self._queued:
                    self._queued = True
                    self._turns.queue(self._take_turn)
                break
            else:
                fed = True
                piece = self._unread[self._at : self._at + limits.WEBSOCKET_PUBLISH_BYTES]
                self._at += len(piece)
                self._frames.take(piece)
                self._ws.receive_data(piece)
                self._events.extend(self._ws.events())
        self._balance()

    def _take_turn(self) -> None:
        self._queued = False
        self._read_on()

    def _balance(self) -> None:
        """Read the socket unless something waits that was read."""
        if self._at >= len(self._unread):
            self._unread, self._at = b"", 0
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if (self._unread and self._ws.state in HEARD) or self._events:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def _take(self, event: Event) -> None:
        if self._timer is not None and not isinstance(event, CloseConnection):
            # The publish is over; only the peer's half of the close is waited for.
            return
        if isinstance(event, BytesMessage):
            if event.data:
                self._intake.feed(bytes(event.data))
        elif isinstance(event, TextMessage):
            self._refuse(NOT_BINARY, "a text message; FLV is published in binary ones")
        elif isinstance(event, Ping) and self._ws.state is ConnectionState.OPEN:
            self._say(self._ws.send(event.response()))
        elif isinstance(event, CloseConnection):
            self._take_close(event)

    def _take_close(self, event: CloseConnection) -> None:
        if self._ws.state in HEARD:
            # With a state in which the peer may go on, it is the library's word for a frame that breaks a rule.
            self._refuse(event.code, str(event.reason))
        elif self._timer is not None:
            # The peer answered the close frame of the server.
            self._end()
        elif self._intake.finish():
            self._say(self._ws.send(event.response()))
            self._end()

    def _say(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self.sent += len(data)
        transport.write(data)
        if transport.get_write_buffer_size() > limits.ANSWER_BYTES_MAX:
            log.info(
                "websocket %s closed: it asks and does not read the answers",
                self._peer.ip,
                extra=self._peer.marks,
            )
            self._intake.cancel(EndReason.UNREAD_ANSWERS)
            transport.abort()

    # --- closing ---

    def _refuse(self, code: int, why: str) -> None:
        """Close for what the peer sent, once."""
        if self._timer is None:
            log.info("websocket %s closed: %s", self._peer.ip, why, extra=self._peer.marks)
            self._intake.cancel(EndReason.PROTOCOL)
            self._close(code, why)

    def _close(self, code: int, reason: str) -> None:
        """Send a close frame, and wait for the peer's half of the close."""
        transport = self._transport
        if transport is None or transport.is_closing() or self._timer is not None:
            return
        self._expect_end(transport)
        answers = self._ws.state not in HEARD
        # A close frame holds 125 bytes, two of them the code (RFC 6455, 5.5).
        self._say(self._ws.send(CloseConnection(code, reason.encode()[:123].decode(errors="ignore"))))
        if answers:
            self._end()

    def _end(self) -> None:
        if self._transport is not None:
            self._expect_end(self._transport)
            self._transport.close()

    def _expect_end(self, transport: asyncio.Transport) -> None:
        """Cut the peer off when it takes too long, with the close frame too."""
        if self._timer is None:
            self._timer = after(self._turns, limits.WEBSOCKET_CLOSE_SECONDS, transport.abort)

    def _forget(self) -> None:
        self._unread, self._at = b"", 0
        self._events.clear()
