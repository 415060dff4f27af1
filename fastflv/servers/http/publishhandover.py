"""Publishers of FLV byte streams that one process hands to another: bodies of requests, WebSockets, bare connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, TypedDict

from fastflv.errors import HandoverError, PeerError
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.handedsocket import HandedSocket
from fastflv.net.negotiation import Connect
from fastflv.net.parcel import Descriptor, Parcel, bytes_of, read_record
from fastflv.net.peer import Peer
from fastflv.protocols.http.message import Request
from fastflv.servers.http.connection import HttpConnection
from fastflv.servers.http.h1exchange import H1Exchange
from fastflv.servers.http.push import HttpPublish
from fastflv.servers.http.websocket import opened_websocket
from fastflv.servers.http.websocketpublish import WebSocketPublish
from fastflv.servers.push.intake import Intake, Intakes, IntakeState
from fastflv.servers.push.tcp import FlvTcpConnection
from fastflv.stream.clients import Client
from fastflv.stream.publication import Publication
from fastflv.stream.stream import Stream
from fastflv.stream.streamstate import read_request


class HeadState(TypedDict):
    """The head of a request whose body is a publish, for another process."""

    method: str
    path: str
    query: str
    version: str
    headers: dict[str, str]
    keep_alive: bool
    left: int | None
    "Bytes of the body that are to come; None: chunks."


class PushState(TypedDict):
    """A publisher, for another process."""

    fd: Descriptor
    peer: dict[str, Any]
    "As the listener saw it."

    head: HeadState | None
    "None: not the body of a request."

    websocket: bool
    begun: bytes
    "What a reader of the framing reads first to go on."

    sent: int
    intake: IntakeState


Part = Callable[[int], None]


def push_state(client: Client) -> tuple[PushState, Part] | None:
    """Return a publisher as plain values, with what forgets it; None where another process cannot go on with it."""
    intake = client.link.source if isinstance(client.link, Publication) else None
    at = intake.state() if isinstance(intake, Intake) else None
    if at is None or not isinstance(intake, Intake):
        return None
    carrier = intake.carrier
    if isinstance(carrier, HttpPublish):
        exchange = carrier.carried
        if not isinstance(exchange, H1Exchange) or (begun := exchange.connection.begun) is None:
            return None
        connection, request = exchange.connection, exchange.request
        head: HeadState = {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "version": request.version,
            "headers": request.headers,
            "keep_alive": request.keep_alive,
            "left": exchange.left,
        }
        found = _state(connection.fileno(), connection.peer, at, begun=begun, head=head)
        return found, partial(_part_body, intake, connection)
    if isinstance(carrier, WebSocketPublish) and (carried := carrier.carried) is not None:
        transport, begun = carried
        found = _state(
            _fileno(transport), client.request.peer, at, begun=begun, websocket=True, sent=carrier.sent
        )
        return found, partial(_part_carrier, intake, carrier)
    if isinstance(carrier, FlvTcpConnection) and (bare := carrier.carried) is not None:
        return _state(_fileno(bare[0]), bare[1], at), partial(_part_carrier, intake, carrier)
    return None


def _state(
    fd: int,
    peer: Peer,
    at: IntakeState,
    *,
    begun: bytes = b"",
    head: HeadState | None = None,
    websocket: bool = False,
    sent: int = 0,
) -> PushState:
    return {
        "fd": Descriptor(fd),
        "peer": asdict(peer),
        "head": head,
        "websocket": websocket,
        "begun": begun,
        "sent": sent,
        "intake": at,
    }


def _fileno(transport: asyncio.Transport) -> int:
    return int(transport.get_extra_info("socket").fileno())


def _part_body(intake: Intake, connection: HttpConnection, _nothing: int) -> None:
    intake.part()
    leave = connection.leave
    connection.let_go()
    leave()


def _part_carrier(intake: Intake, carrier: WebSocketPublish | FlvTcpConnection, _nothing: int) -> None:
    intake.part()
    carrier.part()


class HandedPush(HandedSocket):
    """A publisher that was handed over."""

    def __init__(
        self,
        intakes: Intakes,
        limit: ConnectionLimit,
        connects: Mapping[int, Connect],
        streams: Mapping[str, Stream],
        parcel: Parcel,
        state: PushState,
    ) -> None:
        """*connects*: what is spoken on plain ports. *streams*: by the ids that they had.

        Raises HandoverError, KeyError, TypeError and ValueError.
        """
        self._intakes = intakes
        self._state = state
        self._at = at = state["intake"]
        self._request = read_request(at["request"])
        self._peer = peer = read_record(Peer, state["peer"])
        self._begun, self._sent = bytes_of(state["begun"]), int(state["sent"])
        stream, connect = streams.get(at["stream"]), connects.get(peer.local_port)
        if stream is None or connect is None:
            raise HandoverError(f"nothing serves a publisher of {self._request.url} any more")
        self._stream, self._connect = stream, connect
        self._head = _read_head(state["head"], self._request.peer) if state["head"] is not None else None
        super().__init__(limit, peer, parcel.take(state["fd"]))
        self.label = f"publisher from {peer.ip} of {stream.url}"

    @property
    def publishes(self) -> bool:
        return True

    async def _go_on(self) -> None:
        # Whoever had it may have left a mark.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        if self._state["websocket"]:
            leave = partial(self._limit.release, self._peer.socket_ip)
            publish = WebSocketPublish(
                self._intakes, opened_websocket(), self._request, self._stream.name, leave
            )
            await self._read(publish, lambda transport: self._resume(publish.go_on(self._begun, self._sent)))
            return
        connection = self._connect(self._peer)
        if isinstance(connection, HttpConnection):
            await self._read(connection, lambda transport: self._resume_body(connection))
        elif isinstance(connection, FlvTcpConnection):
            await self._read(connection, lambda transport: self._resume_bare(connection))
        else:
            raise HandoverError("its port speaks another protocol")

    def _resume_body(self, connection: HttpConnection) -> None:
        if self._head is None:
            raise HandoverError("it has no head")
        exchange = connection.resume(self._head, self._begun)
        publish = HttpPublish(self._intakes, exchange, self._stream.name, self._request)
        self._resume(publish.go_on())

    def _resume_bare(self, connection: FlvTcpConnection) -> None:
        intake, low_water = connection.go_on(self._request, self._stream.name)
        intake.resume(self._stream, self._at, low_water=low_water)

    def _resume(self, intake: Intake) -> None:
        try:
            intake.resume(self._stream, self._at)
        except PeerError as error:
            raise HandoverError(str(error)) from error


def _read_head(values: HeadState, peer: Peer) -> Request:
    headers = {str(name): str(text) for name, text in values["headers"].items()}
    left = values["left"]
    return Request(
        method=str(values["method"]),
        path=str(values["path"]),
        query=str(values["query"]),
        version=str(values["version"]),
        headers=headers,
        keep_alive=bool(values["keep_alive"]),
        peer=peer,
        length=int(left) if left is not None else None,
    )
