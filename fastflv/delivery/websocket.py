"""WebSocket players: handshake and control frames by wsproto, media as binary messages.

Media goes from the log to the socket without this module: messages of a server are not masked, so
their headers are all that a send adds. What is said here goes out between two of them.

Spec: RFC 6455.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import AcceptConnection, CloseConnection, Ping
from wsproto.events import Request as UpgradeRequest
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from fastflv import limits
from fastflv.delivery.message import SERVER, Request, Response
from fastflv.delivery.play import LoopPlay, ThreadPlay

log = logging.getLogger(__name__)

CLOSE_CODES: Final = {"stream ended": 1000, "server stops": 1001, "kicked": 1008}
"Close codes by the reason for which a player left; 1011 for any other."


def wants_upgrade(request: Request) -> bool:
    """Whether a request asks for a WebSocket."""
    return request.headers.get("upgrade", "").lower() == "websocket"


class Handshake:
    """The server's half of an opening handshake."""

    __slots__ = ("answer", "ws")

    def __init__(self, request: Request) -> None:
        """Raises RemoteProtocolError for a request that is no handshake."""
        self.ws = WSConnection(ConnectionType.SERVER)
        headers = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()
        ]
        self.ws.initiate_upgrade_connection(headers, "/")
        asked = next(self.ws.events())
        assert isinstance(asked, UpgradeRequest)
        # A browser that names subprotocols gives up unless one is chosen; here they all mean the same bytes.
        chosen = asked.subprotocols[0] if asked.subprotocols else None
        self.answer = self.ws.send(
            AcceptConnection(subprotocol=chosen, extra_headers=[(b"Server", SERVER.encode())])
        )
        "The 101 response."


def refuse_handshake(error: Exception) -> Response:
    """What is answered to a request that asks for a WebSocket in a wrong way."""
    return Response.of_text(
        426, f"not a WebSocket handshake: {error}", Sec_WebSocket_Version="13", Upgrade="websocket"
    )


class WebSocketConnection(asyncio.Protocol):
    """One WebSocket after its handshake. `play` and `leave` are set before anything is read.

    *lost* is called once, when the connection is gone.
    """

    play: ThreadPlay | LoopPlay
    leave: Callable[[str], None]
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
        self.received = 0
        "Bytes received behind the handshake."

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        self.received += len(data)
        try:
            self._ws.receive_data(data)
            for event in self._ws.events():
                if isinstance(event, Ping):
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
        if isinstance(self.play, LoopPlay):
            self.play.pause_writing()

    def resume_writing(self) -> None:
        self.play.resume_writing()

    def ended(self, reason: str, whole: bool) -> None:
        """The play is over: say why, where the connection is not in the middle of a message."""
        self.leave(reason)
        if whole and not self._transport.is_closing():
            self._say_goodbye(CLOSE_CODES.get(reason, 1011), reason)
        else:
            self._transport.abort()

    def kick(self) -> None:
        """The operator ends it."""
        self.close(CLOSE_CODES["kicked"], "kicked")

    def close(self, code: int, reason: str) -> None:
        """End the play at the next message's end and say why; a peer that takes nothing is cut off."""
        self._expect_end()
        self.play.halt(lambda: self._say_goodbye(code, reason))

    def _closed_by_peer(self, event: CloseConnection) -> None:
        if self._ws.state is ConnectionState.CLOSED:
            # The answer to our own.
            self._transport.close()
            return
        answer = self._ws.send(event.response())

        def finish() -> None:
            if not self._transport.is_closing():
                self._transport.write(answer)
                self._transport.close()

        self._expect_end()
        self.play.halt(finish)

    def _say_goodbye(self, code: int, reason: str) -> None:
        if self._transport.is_closing():
            return
        try:
            # A close frame has room for 123 bytes of reason.
            self._transport.write(self._ws.send(CloseConnection(code=code, reason=reason[:120])))
        except LocalProtocolError:
            self._transport.close()
            return
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
        self._timer = self._loop.call_later(limits.WEBSOCKET_PING_SECONDS, self._ping)
        self.play.say(self._ws.send(Ping(payload=b"fastflv")))
