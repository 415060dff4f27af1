"""The server: everything that one running fastflv consists of, and how it is put together."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING
from weakref import WeakSet

from fastflv import limits
from fastflv._ext.core.memory import trim_heap
from fastflv._ext.fanout.sender import Sender
from fastflv.access.gate import Gate
from fastflv.access.request import AccessRequest
from fastflv.access.rule import Rule
from fastflv.access.verdict import Verdict, forbid
from fastflv.config.diff import differences
from fastflv.config.model.caster import StreamCaster
from fastflv.config.model.server import Settings
from fastflv.config.routes import RouteKind, with_former
from fastflv.control.adoption import adopt_options
from fastflv.control.api import ApiRooms
from fastflv.control.endedstreams import EndedStreams
from fastflv.control.endpoints import Spoken, wanted
from fastflv.control.heartbeat import HeartbeatTimer
from fastflv.control.hooks import ServerHooks
from fastflv.control.identity import server_id
from fastflv.control.limiting import Limiter
from fastflv.control.listeners import Listeners, Place, Plan
from fastflv.control.metrics import make_metrics
from fastflv.control.outcome import Outcome
from fastflv.control.parts import Parts
from fastflv.control.recheck import Recheck
from fastflv.control.runtime import Runtime, compile_runtime, fanout_threads
from fastflv.control.tokenwatch import TokenWatch
from fastflv.control.vhostoptions import VhostOptions, former_names
from fastflv.control.workerplace import WorkerPlace, siblings_of
from fastflv.net.clientid import new_id
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.filepool import FilePool
from fastflv.net.heap import Heap
from fastflv.net.negotiation import Connect
from fastflv.net.networkset import NetworkSet
from fastflv.net.opening import Opening
from fastflv.net.peer import Peer
from fastflv.net.quiet import QuietSockets
from fastflv.net.turns import Turns
from fastflv.playing.join import Joins
from fastflv.playing.players import Players
from fastflv.playing.spooling import Spooling
from fastflv.protocols.http import crossdomain
from fastflv.protocols.http.crossdomain import CrossDomain
from fastflv.protocols.http.exchange import Exchange, Handler
from fastflv.record.recorders import Recorders
from fastflv.servers.api.identity import Identity
from fastflv.servers.api.recentlog import RecentLog
from fastflv.servers.files.server import FileServer
from fastflv.servers.hls.event import Watcher as SegmentWatcher
from fastflv.servers.http.caster import Caster
from fastflv.servers.http.connection import HttpConnection
from fastflv.servers.http.live import Live
from fastflv.servers.http.mounts import Mounts
from fastflv.servers.http.push import Push
from fastflv.servers.http.router import Match, Router, Site, refuse_path
from fastflv.servers.metrics.exporter import Exporter
from fastflv.servers.pages.built import find_built
from fastflv.servers.pages.livestreams import LiveStreams
from fastflv.servers.pages.server import PageServer
from fastflv.servers.push.intake import Intakes
from fastflv.servers.recordings.api import RecordApi
from fastflv.servers.recordings.files import RecordingFiles
from fastflv.servers.recordings.streams import RecordedStreams
from fastflv.servers.rtmp.server import RtmpServer
from fastflv.stream.clients import Clients
from fastflv.stream.endreason import EndReason
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.publication import Publications

if TYPE_CHECKING:
    from fastflv.servers.hls.server import HlsServer
    from fastflv.servers.http.h2connection import H2Connection

log = logging.getLogger(__name__)


class Server:
    """One running fastflv. Make it in the loop that it will run in; then `start`, and `stop` at the end.

    Everything asks `runtime` per request; a reload replaces it, and tells streams, players and listeners.
    """

    def __init__(
        self,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
        *,
        identity: Identity | None = None,
        recent: RecentLog | None = None,
        worker: WorkerPlace | None = None,
    ) -> None:
        """*identity*: None: made for this process. *recent*: the newest lines of the log, for the API; None: it has none.
        *worker*: its place among the workers of a parent process; None: it is alone.

        Raises ConfigValueError for settings that cannot be used.
        """
        self.clients = Clients()
        self.file_pool = FilePool(loop)
        self.tokens = TokenWatch(loop, self.clients, self.file_pool.opening, lambda: self.runtime)
        self.clients.joined.append(self.tokens.client_joined)
        self.clients.left.append(self.tokens.client_left)
        self.runtime = compile_runtime(settings, 1, self.tokens.store)
        self._loop = loop
        self.unready = ""
        "Why new clients should go elsewhere, for `/readyz`; empty while they are welcome."
        self.options = VhostOptions(lambda: self.runtime, self.is_own)
        self.hub = Hub(lambda: f"vid-{new_id(7)}")
        self.connection_limit = ConnectionLimit(settings.max_connections)
        self.connection_limit.each = settings.limits.accepted
        self._http2: WeakSet[H2Connection] = WeakSet()
        "Connections whose clients may ask again: a server that quits tells them to do so elsewhere."
        self.turns = Turns(loop)
        self.quiet = QuietSockets(loop)
        self.limiter = Limiter(loop, self.turns, self.clients)
        self.limiter.adopt(settings)
        identity = identity or Identity(server_id(settings.server_id, ""), new_id())
        self.hooks = ServerHooks(loop, self.hub, self.clients, identity)
        self.gate = Gate(self._rules_of)
        self.recheck = Recheck(self.turns, self.clients, self.gate)
        self.players = Players(loop, self.turns, Sender(fanout_threads(settings)), self.hub)
        self.joins = Joins(loop, self.hub, self.gate, self.turns, self.clients)
        self.publications = Publications(self.turns, self.hub, self.clients, self.gate)
        self.rtmp = RtmpServer(
            self.joins,
            self.publications,
            self.players,
            self.connection_limit,
            turns=self.turns,
            quiet=self.quiet,
            vhost_of=self.options.rtmp,
            new_id=new_id,
            mark=identity.service,
        )
        self.siblings = siblings_of(worker, self, loop)
        self.live = Live(
            self.joins,
            self.clients,
            self.players,
            self.connection_limit,
            turns=self.turns,
            quiet=self.quiet,
            vhost_of=lambda vhost: self.runtime.vhosts[vhost].live,
        )
        intakes = Intakes(self.publications, self.turns, lambda vhost: self.runtime.vhosts[vhost].publish)
        self.push = Push(intakes)
        self.files = FileServer(self.file_pool)
        heap = Heap(loop, trim_heap)
        self.segment_watchers: list[SegmentWatcher] = []
        "Told of each segment of HLS that is listed."
        self.recorders = Recorders(loop, self.hub, self.file_pool.recording, self.options.record)
        self.parts = Parts(self, loop, identity, heap, intakes)
        self.parts.make(self.runtime)
        spooling = Spooling(self.file_pool.spooling, self.hub)
        self.hub.watchers += (self.recorders, spooling, EndedStreams(heap))
        self.hooks.watch(self.rtmp, self.recorders, self.segment_watchers)
        self.metrics = make_metrics(
            loop,
            self.turns,
            self.hub,
            self.clients,
            self.players,
            self.connection_limit,
            self.limiter.refused,
            self.parts,
            identity,
            lambda: self.runtime.settings.exporter,
        )
        rooms = ApiRooms(self, loop, identity, recent)
        self.api = rooms.api
        self.trends = rooms.trends
        self.heartbeat = HeartbeatTimer(loop, identity, self.api.summary)
        self.record_api = RecordApi(
            self.gate,
            RecordedStreams(self.hub, self.recorders, self.file_pool.opening),
            RecordingFiles(self.recorders, self.file_pool.opening, self.files),
            guard=rooms.guard,
            site_of=self.options.record_site,
        )
        self.api.table.add(*self.record_api.table)
        self.live_streams = LiveStreams(
            self.hub,
            self.gate,
            routes_of=lambda vhost: self.runtime.vhosts[vhost].site.routes,
            rtmp_port=lambda: next(iter(self.listeners.ports("RTMP")), 0),
            http_api=lambda: self.runtime.settings.http_api,
        )
        pages = PageServer(find_built(), self.files, self.live_streams, rooms.ports)
        mounts = Mounts(self.hub, self.live, self.push, self.files)
        handlers = {
            RouteKind.PAGE: pages.handle,
            RouteKind.CONSOLE: pages.console,
            RouteKind.API: lambda exchange, match: self.api.handle(exchange),
            RouteKind.RECORD: lambda exchange, match: self.record_api.handle(exchange),
            RouteKind.CLIP: self._clip,
            RouteKind.PLAYLIST: self._playlist,
            RouteKind.SEGMENT: lambda exchange, match: self._hls.segment(exchange, match.name),
            RouteKind.WINDOW: lambda exchange, match: self._hls.past(exchange, match.name),
            RouteKind.KEY: lambda exchange, match: self._hls.key(exchange, match.name),
            RouteKind.MOUNT: mounts.handle,
            RouteKind.NUMBER: mounts.number,
            RouteKind.FILES: self._files,
        }
        streams, api = (
            Router(site_of, handlers, cross_domain=self._cross_domain, trusted=self._trusted)
            for site_of in (self._site_of, lambda host: self.runtime.api_site)
        )
        self.streams, self.own_api = streams, api
        streams.edge_came = self.hub.expect_edges
        self._spoken = Spoken(
            self.rtmp.connect,
            partial(self.serve_http, streams),
            partial(self._serve_http2, streams),
            partial(self.serve_http, api),
            partial(self._serve_http2, api),
            self._flv_tcp,
            self._caster,
            partial(self.serve_http, Exporter(self.metrics, self._trusted)),
        )
        self.opening = Opening(loop, self.turns, self.quiet)
        self.opening.rests.add_media(self.rtmp.feeding.fd)
        self.opening.rests.held = self._is_awaited
        self.players.crowd = self.opening.rests.count
        self.listeners: Listeners = Listeners(loop, self.connection_limit, self.opening)

    # --- life ---

    def _is_awaited(self) -> bool:
        """A client waits for what takes several turns of the loop: a hook, a file, a handshake."""
        return bool(self.clients.arrivals) or self.file_pool.answering or self.opening.shaking

    async def start(self, sockets: Sequence[socket.socket] = ()) -> None:
        """Open every listener; *sockets*: listening ones that were opened elsewhere. Raises StartupError."""
        try:
            self.commit(self.prepare(sockets))
        except BaseException:
            await self.stop()
            raise

    def prepare(
        self,
        sockets: Sequence[socket.socket] = (),
        handed: Mapping[Place, socket.socket] = MappingProxyType({}),
    ) -> Plan:
        """Do what can fail of `start`; *handed*: listening sockets of another process by place. Raises StartupError."""
        self.tokens.begin()
        self.hooks.adopt(self.runtime.settings)
        return self._plan(self.runtime, sockets, handed)

    def commit(self, plan: Plan) -> None:
        """Accept on what `prepare` has bound."""
        self.listeners.commit(plan)
        self.heartbeat.adopt(self.runtime.settings)
        self.trends.begin()
        if self.parts.cluster is not None:
            self.parts.cluster.adopt()

    def close_listeners(self) -> None:
        """Accept no more; publishers and players stay."""
        self.listeners.close()
        self.connection_limit.leaving = True
        for connection in list(self._http2):
            connection.leave()

    async def stop(self) -> None:
        """Close the listeners, end every stream, disconnect every player."""
        self.close_listeners()
        if self.siblings is not None:
            self.siblings.close()
        self.limiter.close()
        self.trends.close()
        await self.tokens.stop()
        cluster, forwards = self.parts.cluster, self.parts.forwards
        if cluster is not None:
            await cluster.pulls.close()
        for client in list(self.clients):
            if client.publish:
                client.drop(EndReason.SERVER_STOPS)
        if self.parts.hls is not None:
            await self.parts.hls.stop()
        await self.recorders.stop()
        self.players.stopping = True
        self.hub.end_all()
        self.joins.rewinds.stop()
        # Players get the last bytes and a clean end before the threads go.
        deadline = self._loop.time() + limits.STOP_SECONDS
        while self.players.count and self._loop.time() < deadline:
            await asyncio.sleep(limits.STOP_STEP_SECONDS)
        if forwards is not None:
            await forwards.stop()
        if cluster is not None:
            await cluster.directories.stop()
        self.quiet.close()
        self.opening.rests.close()
        self.rtmp.feeding.close()
        self.players.stop()
        await self.connection_limit.open.close()
        self.parts.close_clips()
        self.file_pool.close()
        await self.heartbeat.stop()
        await self.hooks.stop()
        # Last messages leave with the loop's next turns.
        await asyncio.sleep(limits.STOP_STEP_SECONDS)

    # --- reload ---

    def reload(self, settings: Settings) -> Outcome:
        """Put *settings* in force beside what runs; return what differs.

        Raises ConfigValueError or StartupError; then nothing has changed. Clients that a rule or vhost of the new
        configuration refuses are disconnected, thousands of them within some turns of the loop, and nobody else.
        """
        old = self.runtime
        runtime = compile_runtime(settings, old.number + 1, self.tokens.store)
        self.parts.make(runtime)
        hls, cluster, forwards = self.parts.hls, self.parts.cluster, self.parts.forwards
        self.listeners.commit(self._plan(runtime, (), {}))
        self.runtime = runtime
        self.connection_limit.limit = settings.max_connections
        self.connection_limit.each = settings.limits.accepted
        self.limiter.adopt(settings)
        self.hooks.adopt(settings)
        self.heartbeat.adopt(settings)
        former = former_names(old, runtime) if self.siblings is not None else {}
        waiting = hls.muxers.reconfigure(self.options.hls, former) if hls is not None else []
        self.recorders.reconfigure()
        if forwards is not None:
            forwards.reconfigure()
        self.tokens.begin()
        adopt_options(runtime, self.hub, self.publications, self.players, self.joins.rewinds, forwards)
        if cluster is not None:
            # The directories first: who is named in one keeps its health.
            cluster.adopt()
            cluster.pulls.adopt()
        outcome = Outcome(runtime.number, tuple(differences(old.settings, settings)), tuple(waiting))
        for change in outcome.changes:
            place = f"{change.place}: " if change.place else ""
            log.info("reload: %s%s, %s", place, change, change.when.value)
        for name in waiting:
            log.info("reload: %s counts for running streams from their next publish on", name)
        self.recheck.begin(
            lambda dropped: log.info(
                "reload: configuration %d is in force; %d clients are disconnected", runtime.number, dropped
            )
        )
        return outcome

    # --- what listeners and rooms ask ---

    def _plan(
        self, runtime: Runtime, sockets: Sequence[socket.socket], handed: Mapping[Place, socket.socket]
    ) -> Plan:
        return self.listeners.plan(
            wanted(runtime.settings, self._spoken),
            trusted=runtime.trusted,
            empty_ip_ok=runtime.settings.empty_ip_ok,
            inherited=sockets,
            handed=handed,
            shared=runtime.settings.reuse_port,
        )

    def _caster(self, caster: StreamCaster) -> Connect:
        handler = Caster(
            self.push,
            caster.output,
            vhost_of=self.options.vhost_name,
            cross_domain=lambda: self._cross_domain(RouteKind.MOUNT),
            trusted=self._trusted,
        )
        return partial(self.serve_http, handler)

    def serve_http(self, handler: Handler, peer: Peer) -> HttpConnection:
        """Make the protocol of an accepted connection, which holds one place of the limit."""
        return HttpConnection(
            self._loop, handler, self.connection_limit, peer, self.turns, self.quiet, self.file_pool.sending
        )

    def _serve_http2(self, handler: Handler, peer: Peer) -> H2Connection:
        from fastflv.servers.http.h2connection import H2Connection

        connection = H2Connection(
            self._loop, handler, self.connection_limit, peer, self.turns, self.file_pool.sending
        )
        self._http2.add(connection)
        return connection

    def _trusted(self) -> NetworkSet:
        return self.runtime.trusted

    def _cross_domain(self, kind: RouteKind) -> CrossDomain:
        api = self.runtime.settings.http_api
        if kind in (RouteKind.PAGE, RouteKind.CONSOLE):
            return crossdomain.NONE
        if kind not in (RouteKind.API, RouteKind.RECORD):
            return crossdomain.PLAY if self.runtime.settings.http_server.crossdomain else crossdomain.NONE
        if not api.crossdomain:
            return crossdomain.NONE
        return crossdomain.MANAGE if api.auth.enabled else crossdomain.LOOK

    def _site_of(self, host: str) -> Site:
        vhost = self.runtime.vhost(host)
        if vhost is None:
            return self.runtime.bare_site
        hls = self.parts.hls
        former = hls.muxers.former_names(vhost.vhost.name) if hls is not None else ()
        if not former:
            return vhost.site
        routes = with_former(vhost.site.routes, (each.files for each in former))
        return Site(vhost.vhost.name, routes, vhost.site.signed)

    def _clip(self, exchange: Exchange, match: Match) -> bool:
        clips = self.parts.clips
        assert clips is not None, "there is no such route without"
        container = exchange.request.path.rpartition(".")[2]
        return self.pass_on(exchange, match.name) or clips.handle(exchange, match.name, container)

    @property
    def _hls(self) -> HlsServer:
        assert self.parts.hls is not None, "there is no such route without"
        return self.parts.hls

    def _flv_tcp(self, peer: Peer) -> asyncio.BaseProtocol:
        assert self.parts.flv_tcp is not None, "there is no such listener without"
        return self.parts.flv_tcp.connect(peer)

    def _playlist(self, exchange: Exchange, match: Match) -> bool:
        name, hls = match.name, self._hls
        is_known = self.hub.find(name) is not None or hls.muxers.find(name) is not None
        if not match.folders or is_known or not self.is_own(name):
            return hls.playlist(exchange, name)

        def absent() -> None:
            if not hls.playlist(exchange, name):
                refuse_path(exchange)

        self.files.answer(exchange, match.folders, absent)
        return True

    def _files(self, exchange: Exchange, match: Match) -> None:
        self.files.answer(exchange, match.folders, lambda: refuse_path(exchange))

    def _rules_of(self, vhost: str) -> Sequence[Rule]:
        found = self.runtime.vhosts.get(vhost)
        # A reload may have removed the vhost of a request that waits for its verdict.
        if found is None or not found.vhost.enabled:
            return (_refuse_vhost,)
        limiter, auth = self.limiter, (found.auth,) if found.auth is not None else ()
        hooks, cluster, edge = self.hooks.rules.get(vhost, ()), self.parts.cluster, found.edge
        return (
            *found.rules,
            *limiter.by_address[vhost],
            *auth,
            *(cluster.rules_of(vhost) if cluster is not None else ()),
            *limiter.rules[vhost],
            *(cluster.traverse_of(edge) if cluster is not None and edge is not None else ()),
            *hooks,
            *((cluster.relays,) if cluster is not None and edge is not None else ()),
        )

    def pass_on(self, exchange: Exchange, name: StreamName) -> bool:
        return self.siblings is not None and self.siblings.pass_on(exchange, name)

    def is_own(self, name: StreamName) -> bool:
        """Off for a stream that another worker publishes: what is done once for each publish is done there."""
        return self.siblings is None or self.siblings.is_own(name)


def _refuse_vhost(request: AccessRequest) -> Verdict:
    return forbid(f"vhost {request.vhost} is not served")
