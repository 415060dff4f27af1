"""WebSocket players: handshake and control frames by wsproto, media as binary messages.

Media goes from the log to the socket without this module: messages of a server are not masked, so
their headers are all that a send adds. What is said here goes out between two of them.

Spec: RFC 6455.
"""

from __future__ import annotations

import asyncio
import logging
from base64 import b64decode
from collections.abc import Callable
from typing import Final

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import AcceptConnection, CloseConnection, Ping
from wsproto.events import Request as UpgradeRequest
from wsproto.utilities import RemoteProtocolError

from fastflv import limits
from fastflv.playing.loopplayer import LoopPlayer
from fastflv.playing.threadplayer import ThreadPlayer
from fastflv.protocols.http.message import SERVER, Request, Response
from fastflv.stream.endreason import EndReason

log = logging.getLogger(__name__)

ASKED: Final = (
    "connection", "upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol",
)  # fmt: skip
"What of a request belongs to the handshake. Extensions are not among them: none is offered."

HEARD: Final = (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING)
"States in which the peer may still say something."

FAREWELL_SAID: Final = (ConnectionState.LOCAL_CLOSING, ConnectionState.CLOSED)

CLOSE_CODES: Final = {EndReason.STREAM_ENDED: 1000, EndReason.SERVER_STOPS: 1001, EndReason.KICKED: 1008}
"Close codes by the reason for which a player left; 1011 for any other."


def wants_upgrade(request: Request) -> bool:
    """Whether a request asks for a WebSocket."""
    return request.headers.get("upgrade", "").lower() == "websocket"


class Handshake:
    """The server's half of an opening handshake."""

    __slots__ = ("answer", "ws")

    def __init__(self, request: Request) -> None:
        """Raises RemoteProtocolError for a request that is no handshake."""
        fields = request.headers
        version = fields.get("sec-websocket-version", "")
        if request.method != "GET" or request.version != "1.1":
            raise RemoteProtocolError("it begins with GET and HTTP/1.1")
        if version != "13":
            raise RemoteProtocolError(f"Sec-WebSocket-Version is {version!r}, not 13")
        if not _is_key(fields.get("sec-websocket-key", "")):
            raise RemoteProtocolError("Sec-WebSocket-Key is not 16 bytes in base64")
        asked = {name: fields.get(name, "").strip() for name in ASKED}
        if not all(value.isascii() and value.isprintable() for value in asked.values()):
            raise RemoteProtocolError("a field holds what is not printable ASCII")
        self.ws = WSConnection(ConnectionType.SERVER)
        # The host was looked at when the stream was found; what else a request holds is not wsproto's to judge.
        headers = [(b"Host", b"here")]
        headers += [(name.encode(), value.encode()) for name, value in asked.items() if value]
        self.ws.initiate_upgrade_connection(headers, "/")
        upgrade = next(self.ws.events())
        assert isinstance(upgrade, UpgradeRequest)
        # A browser that names subprotocols gives up unless one is chosen; here they all mean the same bytes.
        chosen = next(filter(None, upgrade.subprotocols), None)
        self.answer = self.ws.send(
            AcceptConnection(subprotocol=chosen, extra_headers=[(b"Server", SERVER.encode())])
        )
        "The 101 response."


def _is_key(text: str) -> bool:
    """A key is 16 bytes in base64 (RFC 6455, 4.2.1)."""
    try:
        return len(b64decode(text, validate=True)) == 16
    except ValueError:
        return False


def refuse_handshake(error: Exception) -> Response:
    """What is answered to a request that asks for a WebSocket in a wrong way."""
    return Response.of_text(
        426, f"not a WebSocket handshake: {error}", Sec_WebSocket_Version="13", Upgrade="websocket"
    )


class WebSocketConnection(asyncio.Protocol):
    """One WebSocket after its handshake. `play` and `leave` are set before anything is read.

    *lost* is called once, when the connection is gone.
    """

    play: ThreadPlayer | LoopPlayer
    leave: Callable[[EndReason], None]
    "Called once, with the reason, when the play is over."

    def __init__(
        self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, ws: WSConnection, ip: str,
        lost: Callable[[], None],
    ) -> None:  # fmt: skip
        self._loop = loop
        self._transport = transport
        self._ws = ws
        self._ip = ip
        self._lost = lost
        self._heard = loop.time()
        self._timer = loop.call_later(limits.WEBSOCKET_PING_SECONDS, self._ping)
        self._farewell: CloseConnection | None = None
        self._why: EndReason | None = None
        "Why it is being closed, before the play is over."
        self._said = 0
        "Bytes received since the last ping."
        self.received = 0
        "Bytes received behind the handshake."

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        self.received += len(data)
        self._said += len(data)
        if self._said > limits.WEBSOCKET_SAID_BYTES_MAX:
            self.close(1009, "a player has less to say")
            return
        if self._ws.state not in HEARD:
            return
        try:
            self._ws.receive_data(data)
            for event in self._ws.events():
                if isinstance(event, Ping):
                    # Behind our own close nothing more may be said.
                    if self._ws.state is ConnectionState.OPEN:
                        self.play.say(self._ws.send(event.response()))
                elif isinstance(event, CloseConnection):
                    self._closed_by_peer(event)
                    return
                # Pongs count as a sign of life; what a player has to say otherwise is not asked for.
        except RemoteProtocolError as error:
            log.info("websocket %s closed: %s", self._ip, error)
            hint = error.event_hint
            code = int(hint.code) if isinstance(hint, CloseConnection) else 1002
            self.close(code, str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._lost()
        self.play.lost()

    def pause_writing(self) -> None:
        if isinstance(self.play, LoopPlayer):
            self.play.pause_writing()

    def resume_writing(self) -> None:
        self.play.resume_writing()

    def ended(self, reason: EndReason, whole: bool) -> None:
        """The play is over: say why, where the connection is not in the middle of a message."""
        self.leave(self._why or reason)
        if self._farewell is None:
            self._farewell = CloseConnection(code=CLOSE_CODES.get(reason, 1011), reason=reason.value)
        if whole and not self._transport.is_closing():
            self._say_goodbye()
        else:
            self._transport.abort()

    def kick(self) -> None:
        """The operator ends it."""
        self._leave_with(
            CloseConnection(CLOSE_CODES[EndReason.KICKED], EndReason.KICKED.value), EndReason.KICKED
        )

    def close(self, code: int, reason: str) -> None:
        """End the play at the next message's end and say why; a peer that takes nothing is cut off."""
        self._leave_with(CloseConnection(code=code, reason=reason), EndReason.PROTOCOL)

    def _closed_by_peer(self, event: CloseConnection) -> None:
        if self._ws.state is ConnectionState.CLOSED:
            # The answer to our own.
            self._transport.close()
        elif self._farewell is None:
            self._leave_with(event.response(), EndReason.PEER_CLOSED)

    def _leave_with(self, farewell: CloseConnection, why: EndReason) -> None:
        if self._farewell is None:
            self._farewell = farewell
            self._why = why
            self._expect_end()
            self.play.halt(self._say_goodbye)

    def _say_goodbye(self) -> None:
        """Send the close frame, once."""
        assert self._farewell is not None
        if self._transport.is_closing() or self._ws.state in FAREWELL_SAID:
            return
        answers = self._ws.state is ConnectionState.REMOTE_CLOSING
        self._transport.write(self._ws.send(self._farewell))
        if answers:
            self._transport.close()
        else:
            self._expect_end()

    def _expect_end(self) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_later(limits.WEBSOCKET_CLOSE_SECONDS, self._transport.abort)

    def _ping(self) -> None:
        silence = self._loop.time() - self._heard
        if silence > limits.WEBSOCKET_SILENCE_SECONDS:
            log.info("websocket %s closed: no answer to a ping for %.0f s", self._ip, silence)
            self.close(1002, "no answer to a ping")
            return
        self._said = 0
        self._timer = self._loop.call_later(limits.WEBSOCKET_PING_SECONDS, self._ping)
        self.play.say(self._ws.send(Ping(payload=b"fastflv")))
