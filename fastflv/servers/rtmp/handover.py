"""RTMP connections that one process hands to another: publishers and players on plain sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypedDict, TypeVar

from fastflv.access.request import AccessRequest
from fastflv.containers.variant import Variant
from fastflv.errors import HandoverError
from fastflv.net.handedsocket import HandedSocket
from fastflv.net.parcel import Descriptor, Parcel, read_record
from fastflv.net.peer import Peer
from fastflv.protocols.rtmp.events import PlayWanted, PublishWanted
from fastflv.protocols.rtmp.sessionstate import KINDS, SessionState, restore_session, session_state
from fastflv.servers.rtmp.connection import RtmpConnection
from fastflv.servers.rtmp.options import RtmpOptions
from fastflv.servers.rtmp.play import PlayState, RtmpPlay
from fastflv.servers.rtmp.publish import RtmpPublish
from fastflv.servers.rtmp.server import RtmpServer
from fastflv.stream.endreason import EndReason
from fastflv.stream.stream import Stream
from fastflv.stream.streamstate import read_request, read_variant, request_state

State = dict[str, Any]
Wanted = TypeVar("Wanted", PublishWanted, PlayWanted)


class PublishState(TypedDict):
    """A publish, for another process."""

    wanted: State
    vhost: str
    stream: str
    "Its id."

    request: State
    bytes_before: int
    joined: float


class ConnectionState(TypedDict):
    """A connection, for another process."""

    fd: Descriptor
    peer: State
    tc_url: str
    page_url: str
    sent: int
    vhost: str
    session: SessionState
    publishes: list[PublishState]
    play: PlayState | None


def connection_state(connection: RtmpConnection) -> ConnectionState | None:
    """Return *connection* as plain values; None where another process cannot go on with it. Sender threads are paused."""
    session, publishes, play, options = connection.carried
    transport = connection.transport
    if transport.is_closing() or connection.speaks_tls or transport.get_write_buffer_size():
        return None
    at = session_state(session)
    playing = play.state() if play is not None else None
    publishing = [state for each in publishes if (state := _publish_state(each)) is not None]
    if at is None or len(publishing) != len(list(publishes)):
        return None
    if playing is None and (play is not None or not publishing):
        return None
    return {
        "fd": Descriptor(transport.get_extra_info("socket").fileno()),
        "peer": asdict(connection.peer),
        "tc_url": connection.tc_url,
        "page_url": connection.page_url,
        "sent": connection.sent,
        "vhost": options.vhost if options is not None else "",
        "session": at,
        "publishes": publishing,
        "play": playing,
    }


def part_connection(connection: RtmpConnection, nothing: int) -> None:
    """Forget a connection that another process goes on with. *nothing*: a descriptor of /dev/null."""
    _, publishes, play, _ = connection.carried
    publishes.part()
    if play is not None:
        play.part(nothing)
    connection.part()


def _publish_state(publish: RtmpPublish) -> PublishState | None:
    publication = publish.publication
    if publication is None or publication.client is None or not publication.sink.on_air:
        return None
    client = publication.client
    return {
        "wanted": asdict(publish.wanted),
        "vhost": publish.vhost,
        "stream": client.stream.id,
        "request": request_state(client.request),
        "bytes_before": publication.bytes_before,
        "joined": client.joined,
    }


@dataclass(slots=True)
class Handed(Generic[Wanted]):
    """A publish or play that was handed over."""

    wanted: Wanted
    options: RtmpOptions
    stream: Stream
    request: AccessRequest
    state: Mapping[str, Any]


class ResumedConnection(RtmpConnection):
    """A connection that another process has begun. What the peer sends finds everything in place."""

    def restore(self, options: RtmpOptions | None) -> None:
        """*options*: of the vhost that `connect` named."""
        self._options = options

    def go_on_with(self, play: RtmpPlay) -> None:
        """*play* is told what becomes of the connection."""
        self._play = play

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._attach(transport)

    def resumed(self) -> None:
        """All that it carries goes on."""
        self._heard()


class HandedConnection(HandedSocket):
    """A connection that was handed over."""

    def __init__(
        self, server: RtmpServer, streams: Mapping[str, Stream], parcel: Parcel, state: State
    ) -> None:
        """*streams*: by the ids that they had. Raises HandoverError, KeyError, TypeError and ValueError."""
        self._server = server
        self._streams = streams
        peer = read_record(Peer, state["peer"])
        self.connection = connection = ResumedConnection(server, peer)
        session = connection.carried[0]
        restore_session(session, state["session"])
        connection.tc_url, connection.page_url = str(state["tc_url"]), str(state["page_url"])
        connection.sent = int(state["sent"])
        self._publishes = [self._handed(PublishWanted, each) for each in state["publishes"]]
        self._play = self._handed(PlayWanted, state["play"]) if state["play"] is not None else None
        self._variant = Variant()
        if self._play is not None:
            self._variant = read_variant(self._play.state["variant"])
        vhost = str(state["vhost"])
        connection.restore(server.vhost_of(vhost) if vhost else None)
        super().__init__(server.limit, peer, parcel.take(state["fd"]))
        self.label = f"rtmp {peer.ip}"

    @property
    def publishes(self) -> bool:
        """Media comes from it."""
        return bool(self._publishes)

    async def _go_on(self) -> None:
        self.sock.setblocking(False)
        # Whoever had it may have left a mark.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        await self._read(self.connection, self._resume)

    def _handed(self, kind: type[Wanted], state: State) -> Handed[Wanted]:
        given = {}
        if kind is PublishWanted:
            given["kind"] = state["wanted"]["kind"]
            if given["kind"] not in KINDS:
                raise HandoverError(f"a publisher is of kind {given['kind']}")
        options, stream = self._server.vhost_of(state["vhost"]), self._streams.get(state["stream"])
        if options is None or stream is None:
            raise HandoverError(f"nothing serves vhost {state['vhost']} any more")
        wanted = read_record(kind, state["wanted"], **given)
        return Handed(wanted, options, stream, read_request(state["request"]), state)

    def _resume(self, _transport: asyncio.Transport) -> None:
        try:
            self._go_on_with_all()
        except BaseException:
            self.connection.drop(EndReason.LOST_IN_UPGRADE)
            raise
        self.connection.resumed()

    def _go_on_with_all(self) -> None:
        _, publishes, _, _ = self.connection.carried
        for each in self._publishes:
            publishes.resume(
                each.wanted,
                each.options,
                each.stream,
                each.request,
                bytes_before=int(each.state["bytes_before"]),
                joined=float(each.state["joined"]),
                alone=len(self._publishes) == 1,
            )
        handed = self._play
        if handed is not None:
            play = RtmpPlay(self.connection, handed.wanted, handed.options)
            self.connection.go_on_with(play)
            play.resume(handed.stream, handed.request, self._variant, handed.state)
