"""Publishing by HTTP: the body of a POST or PUT on the URL of an FLV mount, or on a caster's port, becomes a stream.

    ffmpeg -re -i clip.mp4 -c copy -f flv http://host:8080/live/livestream.flv

Spec: RFC 9110, 9.3.3 and 10.1.1 (POST, Expect).
"""

from __future__ import annotations

import logging
from typing import Final

from fastflv.access.request import AccessRequest, Action
from fastflv.errors import WebSocketHandshakeError
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.http.accessrequest import access_request
from fastflv.servers.http.refusal import publish_refusal
from fastflv.servers.http.websocket import Handshake, refuse_handshake, wants_upgrade
from fastflv.servers.http.websocketpublish import WebSocketPublish
from fastflv.servers.push.intake import Intake, Intakes
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.pendingpublish import PublishRefused

log = logging.getLogger(__name__)

PUBLISH_ARGUMENT: Final = "publish"
"A WebSocket on a mount whose query has it publishes; any other one plays."

DROPPED: Final = {EndReason.SILENT: 408, EndReason.SERVER_STOPS: 503}
"Status by the reason for which the server ends a publish; 403 for any other."


class Push:
    """All publishing over HTTP and WebSocket."""

    def __init__(self, intakes: Intakes) -> None:
        self.intakes = intakes

    def handle(self, exchange: Exchange, name: StreamName) -> None:
        """Publish the body of a request, or the messages of the WebSocket that it asks for, as the stream *name*."""
        request = exchange.request
        if not wants_upgrade(request):
            HttpPublish.begin(self.intakes, exchange, name)
            return
        try:
            handshake = Handshake(request)
        except WebSocketHandshakeError as error:
            refuse_publish(exchange, name.url, refuse_handshake(error))
        else:
            WebSocketPublish.begin(self.intakes, exchange, name, handshake)


def refuse_publish(exchange: Exchange, what: str, response: Response) -> None:
    """Answer a publish that does not reach the gate, with a line in the log; *what*: the stream or path asked for."""
    peer, reason = exchange.request.peer, response.body.decode()
    log.info("publisher from %s of %s refused: %s", peer.ip, what, reason, extra=peer.marks)
    response.headers["Connection"] = "close"
    exchange.respond(response)


class HttpPublish:
    """One publish: a body of a request, and its answer.

    The body is not read before the gate has admitted the publish, so a client that expects `100 Continue` gets it
    then, and any other client waits in its socket.
    """

    __slots__ = ("_exchange", "_intake", "_name", "_paused")

    def __init__(
        self, intakes: Intakes, exchange: Exchange, name: StreamName, request: AccessRequest
    ) -> None:
        self._exchange = exchange
        self._name = name
        self._paused = False
        self._intake = Intake(intakes, self, request, name)
        exchange.on_lost = self._intake.cancel

    @classmethod
    def begin(cls, intakes: Intakes, exchange: Exchange, name: StreamName) -> None:
        """Ask the gate about the request of *exchange*."""
        request = access_request(exchange.request, Action.PUBLISH, name, "flv-publish", exchange.scheme)
        cls(intakes, exchange, name, request)._intake.begin()

    # --- to another process ---

    @property
    def carried(self) -> Exchange | None:
        """Its exchange; None while what was read waits."""
        return self._exchange if not self._paused else None

    def go_on(self) -> Intake:
        """Go on with a body that another process has handed over; return the intake."""
        self._exchange.read(self, idle=None)
        return self._intake

    # --- BodySink ---

    def data(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self._intake.feed(chunk)

    def ended(self, whole: bool) -> None:
        """The body has ended, or was cut."""
        if not whole:
            self._intake.cancel()
        elif self._intake.finish():
            self._answer(Response.of_text(200, "published"))

    # --- Carrier ---

    @property
    def sent(self) -> int:
        return 0

    def admitted(self) -> None:
        # The publication watches for silence itself.
        self._exchange.read(self, idle=None)

    def refused(self, refused: PublishRefused) -> None:
        self._answer(publish_refusal(refused, self._name.url))

    def failed(self, why: str) -> None:
        self._answer(Response.of_text(400, why))

    def dropped(self, reason: EndReason) -> None:
        self._answer(Response.of_text(DROPPED.get(reason, 403), f"the publish is over: {reason}"))

    def pause(self) -> None:
        self._paused = True
        self._exchange.pause()

    def resume(self) -> None:
        self._paused = False
        self._exchange.resume()

    def _answer(self, response: Response) -> None:
        self._exchange.on_lost = None
        response.headers["Connection"] = "close"
        self._exchange.respond(response)
