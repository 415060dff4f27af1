"""What one process hands to another of a server: its streams with their publishers and players.

In the old process `Leaving` reads it, in the new one `Arriving` goes on with it. Between both the sender threads of
the old process are paused, and its event loop is held: nothing is read and nothing is sent.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic
from typing import Any, TypedDict, TypeVar

from fastflv._ext.fanout.handover import pause_threads, resume_threads
from fastflv.access.request import AccessRequest
from fastflv.access.tokens.revocations import Revocation
from fastflv.control.listeners import Plan
from fastflv.control.server import Server
from fastflv.errors import HandoverError, ResourceError
from fastflv.net.handedsocket import HandedSocket
from fastflv.net.parcel import MALFORMED, Parcel
from fastflv.servers.http import handover as http
from fastflv.servers.http import publishhandover as push
from fastflv.servers.http.connection import HttpConnection
from fastflv.servers.rtmp import handover as rtmp
from fastflv.servers.rtmp.connection import RtmpConnection
from fastflv.servers.rtmp.play import RtmpPlay
from fastflv.servers.rtmp.publish import RtmpPublish
from fastflv.stream.endreason import EndReason
from fastflv.stream.publication import Publication
from fastflv.stream.stream import Phase, Stream
from fastflv.stream.streamstate import name_of, restore_stream, stream_state, take_past

log = logging.getLogger(__name__)

State = dict[str, Any]
Item = TypeVar("Item")


class ServerState(TypedDict):
    """What a server hands over."""

    streams: list[State]
    plays: list[http.PlayState]
    rtmp: list[rtmp.ConnectionState]
    pushes: list[push.PushState]
    idle: list[http.IdleState]
    revoked: list[list[Any]]
    "As `Revocation` has them."
    edges: bool
    "Edges may come: as `Hub.expects_edges`."


class Leaving:
    """A server that is handed over, while its sender threads are paused."""

    def __init__(self, server: Server) -> None:
        """Pause it, and read what can be handed over; call `go_on` or `part` in the same turn of the loop."""
        self._server = server
        self._parts: list[Callable[[int], None]] = []
        self.taken = {"streams": 0, "publishers": 0, "players": 0}
        self.pasts: list[tuple[Stream, int]] = []
        "Streams whose past is to follow, with the log position before which it lies."
        self.left = 0
        "Publishers and players that nobody can go on with: over TLS, or within a request."
        # Here: there may be no descriptor left once another process has all of them.
        self._nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        pause_threads(server.players.sender)
        try:
            self.state = self._read()
        except BaseException:
            self.go_on()
            raise

    def go_on(self) -> None:
        """Nobody has taken over: serve as before."""
        os.close(self._nothing)
        resume_threads(self._server.players.sender)

    def part(self) -> None:
        """Another process has taken over: forget what it has. Whatever fails is logged."""
        for part in self._parts:
            try:
                part(self._nothing)
            except Exception:
                log.exception("upgrade: one that was handed over is not forgotten")
        os.close(self._nothing)
        try:
            resume_threads(self._server.players.sender)
        except ResourceError:
            log.exception("upgrade: players over TLS are sent nothing more")

    def _read(self) -> ServerState:
        server = self._server
        streams = [stream_state(stream) for stream in server.hub]
        self.taken["streams"] = len(streams)
        self.pasts = [(stream, stream.log.tail) for stream in server.hub if stream.timeshift.kept_bytes]
        plays: list[http.PlayState] = []
        pushes: list[push.PushState] = []
        connections: dict[RtmpConnection, None] = {}
        hls = server.parts.hls
        for client in server.clients:
            connection = _connection_of(client.link)
            if connection is not None:
                connections[connection] = None
                continue
            if (pushed := push.push_state(client)) is not None:
                pushes.append(pushed[0])
                self._parts.append(pushed[1])
                continue
            state = http.play_state(client)
            if state is None:
                # A viewer of HLS has no connection of its own: it asks the new process next.
                self.left += hls is None or hls.sessions.find(client.id) is None
                continue
            plays.append(state)
            self._parts.append(partial(http.part_play, client, server.live))
        connected: list[rtmp.ConnectionState] = []
        for connection in connections:
            found = rtmp.connection_state(connection)
            if found is None:
                self.left += 1
                continue
            connected.append(found)
            self._parts.append(partial(rtmp.part_connection, connection))
        idle: list[http.IdleState] = []
        for protocol in server.connection_limit.open.protocols():
            if isinstance(protocol, HttpConnection) and (waiting := http.idle_state(protocol)) is not None:
                idle.append(waiting)
                self._parts.append(partial(http.part_idle, protocol))
        self.taken["publishers"] = len(pushes) + sum(len(each["publishes"]) for each in connected)
        self.taken["players"] = len(plays) + sum(each["play"] is not None for each in connected)
        revoked = [list(each) for each in server.tokens.store.revocations]
        return {
            "streams": streams,
            "plays": plays,
            "rtmp": connected,
            "pushes": pushes,
            "idle": idle,
            "revoked": revoked,
            "edges": server.hub.expects_edges,
        }


def _connection_of(link: object) -> RtmpConnection | None:
    if isinstance(link, Publication):
        link = link.source
    return link.connection if isinstance(link, RtmpPublish | RtmpPlay) else None


def _each(items: Iterable[Item], step: Callable[[Item], object], what: str) -> None:
    """Take *step* for each of *items*; one that fails is logged, since no other process can take over any more."""
    for item in items:
        try:
            step(item)
        except Exception:
            log.exception("upgrade: %s is not taken over", what)


class Arriving:
    """What another process has handed over. Made before anything shows; `begin` goes on with it."""

    def __init__(self, server: Server, plan: Plan, parcel: Parcel) -> None:
        """Raises HandoverError: then nothing has changed, and the other process goes on."""
        self._server = server
        self._streams: dict[str, Stream] = {}
        self._connections: list[HandedSocket] = []
        try:
            self._revoked = [
                Revocation(str(jti), str(path), float(revoked), float(until))
                for jti, path, revoked, until in parcel.values["revoked"]
            ]
            if parcel.values["edges"]:
                server.hub.expect_edges()
            for state in parcel.values["streams"]:
                self._add_stream(state)
                # Logs are most of what is handed over: by here they are copied.
                state.clear()
            for state in parcel.values["rtmp"]:
                self._connections.append(rtmp.HandedConnection(server.rtmp, self._streams, parcel, state))
            for state in parcel.values["plays"]:
                self._connections.append(http.HandedPlay(server.live, self._streams, parcel, state))
            # One whose port the new configuration has no more is closed: its client asks elsewhere.
            connects = server.listeners.plain(plan)
            for state in parcel.values["pushes"]:
                if int(state["peer"]["local_port"]) in connects:
                    self._connections.append(
                        push.HandedPush(
                            server.push.intakes,
                            server.connection_limit,
                            connects,
                            self._streams,
                            parcel,
                            state,
                        )
                    )
            for state in parcel.values["idle"]:
                if int(state["peer"]["local_port"]) in connects:
                    self._connections.append(
                        http.HandedIdle(server.connection_limit, connects, parcel, state)
                    )
        except MALFORMED as error:
            raise HandoverError(f"it cannot be read: {error!r}") from error

    async def begin(self) -> None:
        """Go on with all of it. A connection that fails is closed alone, and whatever fails is logged."""
        server = self._server
        sender = server.players.sender
        began = monotonic()
        _each(self._revoked, server.tokens.store.revocations.resume, "a revoked token")
        for stream in self._streams.values():
            server.hub.resume(stream)
        pause_threads(sender)
        try:
            # A log keeps what players have still to read once they are there: what publishers send comes behind them.
            for connection in sorted(self._connections, key=lambda each: each.publishes):
                try:
                    await connection.connect()
                except Exception:
                    log.exception("%s closed: %s", connection.label, EndReason.LOST_IN_UPGRADE)
            self._connections = []
        finally:
            resume_threads(sender)
        paused_ms = round((monotonic() - began) * 1000)
        _each(server.clients, server.tokens.resume, "the use of a token")
        _each(server.clients, lambda client: server.hooks.resume(client.request), "what a hook was asked")
        self._keep_graces()
        publishers = sum(client.publish for client in server.clients)
        log.info(
            "upgrade: this process has taken over %d publishers and %d players, which were sent on after %d ms",
            publishers,
            len(server.clients) - publishers,
            paused_ms,
        )
        server.recheck.begin(
            lambda dropped: (
                log.info("upgrade: %d clients that were taken over are refused", dropped) if dropped else None
            )
        )

    def _keep_graces(self) -> None:
        """Have streams without a publisher end when their grace is over."""
        server = self._server
        pulls = server.parts.pulls()
        publishers = {client.stream for client in server.clients if client.publish}
        now_ms = server.publications.now_ms()

        def keep(stream: Stream) -> None:
            if stream.phase is Phase.LIVE and stream not in publishers:
                # Its publisher had to be left; it may come back.
                server.hub.unpublish(stream, now_ms)
            if stream.phase is Phase.GRACE and stream.publisher is not None:
                server.publications.graces.begin(stream, stream.publisher.peer)

        def fetch(asked: tuple[Stream, AccessRequest]) -> None:
            if asked[0].phase is Phase.GRACE and pulls is not None:
                pulls.resume(*asked)

        _each(self._streams.values(), keep, "the grace of a stream")
        # Players of an edge have no publisher here: their streams are fetched anew.
        _each(
            {client.stream: client.request for client in server.clients}.items(),
            fetch,
            "what an edge fetches",
        )

    def take_past(self, values: State) -> bool:
        """Take pages of the past of a stream; return whether older ones are wanted. Raises HandoverError."""
        stream = self._streams.get(str(values.get("stream")))
        return stream is not None and take_past(stream, values.get("pages") or ())

    def released(self) -> None:
        """The other process writes no files any more: recordings and HLS begin."""
        for stream in self._streams.values():
            self._server.hub.begin_watch(stream)

    def _add_stream(self, state: State) -> None:
        server, name = self._server, name_of(state)
        vhost = server.runtime.vhosts.get(name.vhost)
        if vhost is None or not vhost.vhost.enabled:
            raise HandoverError(f"the new configuration has no vhost {name.vhost}, which has a stream")
        id = str(state["id"])
        stream = server.hub.new_stream(name, vhost.publish.stream, id, server.publications.now_ms())
        restore_stream(stream, state)
        self._streams[id] = stream
