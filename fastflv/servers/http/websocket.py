"""WebSocket players: handshake and control frames by wsproto, media as binary messages.

Media goes from the log to the socket without this module: messages of a server are not masked, so a send only
adds their headers. Control frames of this module go out between two messages.

Spec: RFC 6455.
"""

from __future__ import annotations

import asyncio
import logging
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Final

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import AcceptConnection, CloseConnection, Ping
from wsproto.events import Request as UpgradeRequest
from wsproto.utilities import RemoteProtocolError, generate_accept_token

from fastflv import limits
from fastflv.errors import WebSocketHandshakeError
from fastflv.net.deadline import Deadline, after
from fastflv.net.peer import Peer
from fastflv.net.quiet import QuietSockets
from fastflv.net.turns import Turns
from fastflv.playing.player import Player
from fastflv.protocols.http.message import SERVER, Request, Response
from fastflv.stream.endreason import EndReason
from fastflv.stream.lag import Beginning, Steps
from fastflv.stream.stream import StreamOptions

log = logging.getLogger(__name__)

ASKED: Final = (
    "connection", "upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol",
)  # fmt: skip
"Fields of the handshake. Extensions are not among them: none is offered."

NO_KEY: Final = b64encode(bytes(16)).decode()
"Stands for the key of a handshake that has none."

HEARD: Final = (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING)
"States in which the peer may still send frames."

FAREWELL_SAID: Final = (ConnectionState.LOCAL_CLOSING, ConnectionState.CLOSED)

NOT_TEXT: Final = 1007
"Close code for text that is not UTF-8 (RFC 6455, 8.1)."

CLOSE_CODES: Final = {
    EndReason.STREAM_ENDED: 1000,
    EndReason.SERVER_STOPS: 1001,
    EndReason.KICKED: 1008,
    EndReason.CLOCK_RESTARTED: 1012,
}
"Close codes by the reason for which a player left. For any other: 1008 where the server drops it, else 1011."


def wants_upgrade(request: Request) -> bool:
    """Whether a request asks for a WebSocket."""
    headers = request.headers
    return "upgrade" in headers and headers["upgrade"].lower() == "websocket"


class Handshake:
    """The server's half of an opening handshake."""

    __slots__ = ("fields", "ws")

    def __init__(self, request: Request) -> None:
        """Raises WebSocketHandshakeError for a request that is no handshake (RFC 6455, 4.2.1)."""
        fields = request.headers
        version = fields.get("sec-websocket-version", "")
        several = request.version == "2"
        if request.method != "GET" or not (several or request.version == "1.1"):
            raise WebSocketHandshakeError("it begins with GET and HTTP/1.1")
        if not request.upgrade:
            raise WebSocketHandshakeError("Connection does not name Upgrade")
        if version != "13":
            raise WebSocketHandshakeError(f"Sec-WebSocket-Version is {version!r}, not 13", version=True)
        asked = {name: fields.get(name, "").strip() for name in ASKED}
        if several:
            # Extended CONNECT says the same without these (RFC 8441, 5).
            asked |= {"connection": "Upgrade", "sec-websocket-key": NO_KEY}
        if not _is_key(asked["sec-websocket-key"]):
            raise WebSocketHandshakeError("Sec-WebSocket-Key is not 16 bytes in base64")
        if not all(value.isascii() and value.isprintable() for value in asked.values()):
            raise WebSocketHandshakeError("a field holds a character that is not printable ASCII")
        self.ws = WSConnection(ConnectionType.SERVER)
        # The connection has checked the host; wsproto is given the fields of the handshake alone.
        headers = [(b"Host", b"here")]
        headers += [(name.encode(), value.encode()) for name, value in asked.items() if value]
        try:
            self.ws.initiate_upgrade_connection(headers, "/")
        except RemoteProtocolError as error:
            raise WebSocketHandshakeError(str(error)) from error
        upgrade = next(self.ws.events())
        assert isinstance(upgrade, UpgradeRequest)
        # A browser that names subprotocols fails unless one is chosen; all of them mean the same bytes here.
        chosen = next(filter(None, upgrade.subprotocols), None)
        self.ws.send(AcceptConnection(subprotocol=chosen))
        self.fields = {"Server": SERVER}
        "Of the answer."
        if not several:
            self.fields["Sec-WebSocket-Accept"] = generate_accept_token(
                asked["sec-websocket-key"].encode()
            ).decode()
        if chosen is not None:
            self.fields["Sec-WebSocket-Protocol"] = chosen


def _is_key(text: str) -> bool:
    """A key is 16 bytes in base64 (RFC 6455, 4.2.1)."""
    try:
        return len(b64decode(text, validate=True)) == 16
    except ValueError:
        return False


def refuse_handshake(error: WebSocketHandshakeError) -> Response:
    """Return the answer to a wrong handshake: 426 for another version, 400 otherwise (RFC 6455, 4.2.2)."""
    why = f"not a WebSocket handshake: {error.detail}"
    if error.version:
        return Response.of_text(426, why, Sec_WebSocket_Version="13", Upgrade="websocket")
    return Response.of_text(400, why)


def opened_websocket() -> WSConnection:
    """Return the state of a server whose opening handshake is over."""
    ws = WSConnection(ConnectionType.SERVER)
    fields = [(b"Host", b"here"), (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    fields += [(b"Sec-WebSocket-Key", NO_KEY.encode()), (b"Sec-WebSocket-Version", b"13")]
    ws.initiate_upgrade_connection(fields, "/")
    ws.send(AcceptConnection())
    # The request is an event too.
    list(ws.events())
    return ws


class WebSocketConnection(asyncio.Protocol):
    """One WebSocket after its handshake; `serve` follows `connection_made`, before anything is read."""

    transport: asyncio.Transport
    player: Player

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        turns: Turns,
        quiet: QuietSockets,
        ws: WSConnection,
        peer: Peer,
        left: Callable[[EndReason], None],
        lost: Callable[[], None],
    ) -> None:
        """*turns*, *quiet*: of the loop. *left* is called once when the play is over, *lost* once when the connection is gone."""
        self._loop = loop
        self._turns = turns
        self._quiet = quiet
        self._ws = ws
        self._peer = peer
        self._left = left
        self._lost = lost
        self._silence = Deadline(turns, self._silent)
        self._silence.set(limits.WEBSOCKET_SILENCE_SECONDS)
        self._timer = after(turns, limits.WEBSOCKET_PING_SECONDS, self._ping)
        self._farewell: CloseConnection | None = None
        self._why: EndReason | None = None
        "Reason of a close that began before the play was over."
        self._said = 0
        "Bytes received since the last ping."
        self._unread = b""
        "Frames that wait for a turn of the loop, WEBSOCKET_SAID_BYTES_MAX at most."
        self.received = 0
        "Bytes received behind the handshake."

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._quiet.heard(self.transport)

    @property
    def is_steady(self) -> bool:
        """Nothing but the media is under way: no close, no input that waits, no output in the transport."""
        return not (
            self._farewell is not None
            or self._unread
            or self._ws.state is not ConnectionState.OPEN
            or self.transport.is_closing()
            or self.transport.get_write_buffer_size()
        )

    def part(self) -> None:
        """Another process goes on with the socket: forget it, and tell nobody but who counts connections."""
        self._timer.cancel()
        self._silence.cancel()
        self._quiet.forget(self.transport)
        # Closing a descriptor that has a duplicate sends nothing.
        self.transport.set_protocol(asyncio.Protocol())
        self.transport.abort()
        self._lost()

    def serve(self, player: Player) -> None:
        """Let *player* send the media."""
        self.player = player

    # --- Link ---

    @property
    def sent(self) -> int:
        return self.player.sent

    @property
    def steps(self) -> Steps:
        return self.player.steps

    @property
    def beginning(self) -> Beginning:
        return self.player.beginning

    def drop(self, reason: EndReason) -> None:
        """End the play at the next message's end, and close with the reason."""
        self._leave_with(CloseConnection(CLOSE_CODES.get(reason, 1008), reason.value), reason)

    def adopt(self, options: StreamOptions) -> None:
        self.player.adopt(options)

    # --- asyncio ---

    def data_received(self, data: bytes) -> None:
        self._silence.heard = self._loop.time()
        self._quiet.heard(self.transport)
        self.received += len(data)
        self._said += len(data)
        if self._said > limits.WEBSOCKET_SAID_BYTES_MAX:
            self.close(1009, "too many frames")
            return
        waits = bool(self._unread)
        self._unread += data
        if not waits:
            self._read_on()

    def _read_on(self) -> None:
        """Read frames as long as the turn has time."""
        while self._unread and self._ws.state in HEARD:
            if not self._turns.open():
                self._turns.queue(self._read_on)
                return
            piece = self._unread[: limits.WEBSOCKET_READ_BYTES]
            self._unread = self._unread[limits.WEBSOCKET_READ_BYTES :]
            self._read(piece)

    def _read(self, data: bytes) -> None:
        self._ws.receive_data(data)
        for event in self._ws.events():
            if isinstance(event, Ping):
                # No frame follows a close frame.
                if self._ws.state is ConnectionState.OPEN:
                    self.player.say(self._ws.send(event.response()))
            elif isinstance(event, CloseConnection):
                # With a state in which the peer may go on, it is the library's word for a frame that breaks a rule.
                if self._ws.state in HEARD:
                    self._refuse(event)
                else:
                    self._closed_by_peer(event)
                return
            # Pongs count as a sign of life; messages are ignored.

    def _refuse(self, fault: CloseConnection) -> None:
        """Close with the code of *fault*, once."""
        self._unread = b""
        if self._farewell is None:
            # For text the library says what Python's decoder says, which depends on where a read ended.
            why = "text that is not UTF-8" if fault.code == NOT_TEXT else str(fault.reason)
            log.info("websocket %s closed: %s", self._peer.ip, why, extra=self._peer.marks)
            self.close(fault.code, why)

    def connection_lost(self, exc: Exception | None) -> None:
        self._quiet.forget(self.transport)
        self._timer.cancel()
        self._silence.cancel()
        self._unread = b""
        self._lost()
        self.player.lost()

    def pause_writing(self) -> None:
        self.player.pause_writing()

    def resume_writing(self) -> None:
        self.player.resume_writing()

    def ended(self, reason: EndReason, whole: bool) -> None:
        """The play is over: send the close frame, unless a message is half sent."""
        self._left(self._why or reason)
        if self._farewell is None:
            self._farewell = CloseConnection(code=CLOSE_CODES.get(reason, 1011), reason=reason.value)
        if whole and not self.transport.is_closing():
            self._say_goodbye()
        else:
            self.transport.abort()

    def close(self, code: int, reason: str) -> None:
        """End the play at the next message's end with a close frame; a peer that takes nothing is cut off."""
        self._leave_with(CloseConnection(code=code, reason=reason), EndReason.PROTOCOL)

    def _closed_by_peer(self, event: CloseConnection) -> None:
        if self._ws.state is ConnectionState.CLOSED:
            # The peer answered the close frame of the server.
            self.transport.close()
        elif self._farewell is None:
            self._leave_with(event.response(), EndReason.PEER_CLOSED)

    def _leave_with(self, farewell: CloseConnection, why: EndReason) -> None:
        if self._farewell is None:
            self._farewell = farewell
            self._why = why
            self._expect_end()
            self.player.halt(self._say_goodbye)

    def _say_goodbye(self) -> None:
        """Send the close frame, once."""
        assert self._farewell is not None
        if self.transport.is_closing() or self._ws.state in FAREWELL_SAID:
            return
        answers = self._ws.state is ConnectionState.REMOTE_CLOSING
        self.transport.write(self._ws.send(self._farewell))
        if answers:
            self.transport.close()
        else:
            self._expect_end()

    def _expect_end(self) -> None:
        self._timer.cancel()
        self._silence.clear()
        self._timer = after(self._turns, limits.WEBSOCKET_CLOSE_SECONDS, self.transport.abort)

    def _silent(self) -> None:
        log.info(
            "websocket %s closed: no answer to a ping for %.0f s",
            self._peer.ip,
            limits.WEBSOCKET_SILENCE_SECONDS,
            extra=self._peer.marks,
        )
        self.close(1002, "no answer to a ping")

    def _ping(self) -> None:
        self._said = 0
        self._timer = after(self._turns, limits.WEBSOCKET_PING_SECONDS, self._ping)
        self.player.say(self._ws.send(Ping(payload=b"fastflv")))


class RefusedWebSocket(asyncio.Protocol):
    """A WebSocket that is closed at once: the page learns why by the code of the close."""

    def __init__(
        self,
        turns: Turns,
        ws: WSConnection,
        code: int,
        reason: str,
        lost: Callable[[], None],
    ) -> None:
        """*turns*: of the loop. *lost* is called once, when the connection is gone."""
        self._turns = turns
        self._ws = ws
        # A close frame holds 125 bytes, two of them the code (RFC 6455, 5.5).
        self._farewell = CloseConnection(code, reason.encode()[:123].decode(errors="ignore"))
        self._lost = lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._timer = after(self._turns, limits.WEBSOCKET_CLOSE_SECONDS, self._transport.abort)
        self._transport.write(self._ws.send(self._farewell))

    def data_received(self, data: bytes) -> None:
        try:
            self._ws.receive_data(data)
            closed = any(isinstance(event, CloseConnection) for event in self._ws.events())
        except RemoteProtocolError:
            closed = True
        if closed:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._lost()
