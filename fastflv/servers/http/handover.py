"""Players over HTTP and WebSocket that one process hands to another, on plain sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, TypedDict

from fastflv.access.request import AccessRequest
from fastflv.errors import HandoverError
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.handedsocket import HandedSocket
from fastflv.net.negotiation import Connect
from fastflv.net.parcel import Descriptor, Parcel, read_record
from fastflv.net.peer import Peer
from fastflv.playing.player import Framing
from fastflv.playing.threadplayer import PlayerAt, ThreadPlayer
from fastflv.servers.http.connection import HttpConnection
from fastflv.servers.http.live import Live
from fastflv.servers.http.play import DetachedPlay, RunningPlay
from fastflv.servers.http.websocket import WebSocketConnection, opened_websocket
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.stream import Stream
from fastflv.stream.streamstate import read_request, read_variant, request_state

State = dict[str, Any]


class PlayState(TypedDict):
    """A player, for another process."""

    fd: Descriptor
    websocket: bool
    stream: str
    "Its id."

    request: State
    joined: float
    asked: float
    variant: State
    received: int
    player: PlayerAt


class IdleState(TypedDict):
    """A connection between two requests, for another process."""

    fd: Descriptor
    peer: State


def play_state(client: Client) -> PlayState | None:
    """Return a player as plain values; None where another process cannot go on with it. Sender threads are paused."""
    link = client.link
    web = isinstance(link, WebSocketConnection)
    player = link.player if isinstance(link, WebSocketConnection) else link
    if not isinstance(player, ThreadPlayer) or (isinstance(link, WebSocketConnection) and not link.is_steady):
        return None
    at, outlet = player.state(), player.outlet
    # What is played of the past has logs of its own.
    if at is None or outlet is None or client.stream.outlets.find(outlet.variant) is not outlet:
        return None
    return {
        "fd": Descriptor(player.fd),
        "websocket": web,
        "stream": client.stream.id,
        "request": request_state(client.request),
        "joined": client.joined,
        "asked": client.asked,
        "variant": asdict(outlet.variant),
        "received": link.received,
        "player": at,
    }


def part_play(client: Client, live: Live, nothing: int) -> None:
    """Forget a player that another process goes on with. *nothing*: a descriptor of /dev/null."""
    link = client.link
    live.clients.part(client)
    if isinstance(link, WebSocketConnection):
        if isinstance(link.player, ThreadPlayer):
            link.player.part(nothing)
        link.part()
    elif isinstance(link, ThreadPlayer):
        link.part(nothing)
        live.limit.release(client.request.peer.socket_ip)


def idle_state(connection: HttpConnection) -> IdleState | None:
    """Return a connection between two requests as plain values; None where another process cannot go on with it."""
    if not connection.is_idle or connection.secure or connection.buffered:
        return None
    return {"fd": Descriptor(connection.fileno()), "peer": asdict(connection.peer)}


def part_idle(connection: HttpConnection, _nothing: int) -> None:
    """Forget a connection that another process goes on with."""
    leave = connection.leave
    connection.let_go()
    leave()


class HandedIdle(HandedSocket):
    """A connection between two requests that was handed over."""

    def __init__(
        self, limit: ConnectionLimit, connects: Mapping[int, Connect], parcel: Parcel, state: State
    ) -> None:
        """*connects*: what is spoken on plain ports. Raises HandoverError, KeyError, TypeError and ValueError."""
        self._peer = peer = read_record(Peer, state["peer"])
        connect = connects.get(peer.local_port)
        if connect is None:
            raise HandoverError(f"nothing is served on port {peer.local_port} any more")
        self._connect = connect
        super().__init__(limit, peer, parcel.take(state["fd"]))

    async def _go_on(self) -> None:
        await self._read(self._connect(self._peer))


class HandedPlay(HandedSocket):
    """A player that was handed over. It is connected while the sender threads are paused."""

    def __init__(self, live: Live, streams: Mapping[str, Stream], parcel: Parcel, state: State) -> None:
        """*streams*: by the ids that they had. Raises HandoverError, KeyError, TypeError and ValueError."""
        self._live = live
        self._state = state
        self._request: AccessRequest = read_request(state["request"])
        stream = streams.get(state["stream"])
        outlet = stream.outlets.find(read_variant(state["variant"])) if stream is not None else None
        if stream is None or outlet is None:
            raise HandoverError(f"nothing serves a player of {self._request.url} any more")
        self._stream, self._outlet = stream, outlet
        self._times = float(state["joined"]), float(state["asked"])
        self._framing = Framing(state["player"]["framing"])
        super().__init__(live.limit, self._request.peer, parcel.take(state["fd"]))
        self.label = f"player from {self._request.peer.ip} of {self._request.url}"

    async def _go_on(self) -> None:
        if self._state["websocket"]:
            await self._resume_websocket()
        else:
            self._resume_detached()

    def _resume_detached(self) -> None:
        """A sender thread has the socket to itself."""
        live, stream = self._live, self._stream
        detached = DetachedPlay(live)
        player = live.players.take_over(self.sock.fileno(), stream.options, self._framing, detached.ended)
        try:
            detached.resume(stream, player, self._request, self._times)
            player.resume(self._outlet, self._state["player"])
        except BaseException:
            if player.fd >= 0:
                # A sender thread has the socket: it closes it, and `detached` is told.
                self.sock.detach()
                player.drop(EndReason.LOST_IN_UPGRADE)
            else:
                detached.leave(EndReason.LOST_IN_UPGRADE)
            raise
        self.sock.detach()

    async def _resume_websocket(self) -> None:
        live, stream, request = self._live, self._stream, self._request
        running = RunningPlay(live)
        link = WebSocketConnection(
            live.joins.loop, live.turns, live.quiet, opened_websocket(), request.peer, running.leave,
            partial(live.limit.release, request.peer.socket_ip),
        )  # fmt: skip
        link.received = int(self._state["received"])

        def resume(transport: asyncio.Transport) -> None:
            player = live.players.play(transport, stream.options, Framing.WEBSOCKET, link.ended)
            assert isinstance(player, ThreadPlayer)
            link.serve(player)
            running.resume(stream, link, request, self._times)
            try:
                player.resume(self._outlet, self._state["player"])
            except BaseException:
                running.leave(EndReason.LOST_IN_UPGRADE)
                raise

        await self._read(link, resume)
