"""The server: listeners, what they share, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import secrets
import socket
import ssl
import string
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastflv import limits
from fastflv._ext.fanout.sender import Sender
from fastflv.config.endpoint import Endpoint, uncovered
from fastflv.config.model.server import Settings
from fastflv.control.runtime import hls_options, ingest_options, live_options
from fastflv.errors import StartupError
from fastflv.net.certificates import Certificates
from fastflv.net.connectionlimit import ConnectionLimit, Seated, Seats
from fastflv.net.tlslistener import TlsListener
from fastflv.playing.players import Players
from fastflv.protocols.http.message import Request
from fastflv.servers.api.api import Api, Identity, VhostEntry
from fastflv.servers.hls import HlsOptions, HlsServer
from fastflv.servers.http.connection import Handler, HttpConnection
from fastflv.servers.http.live import Live, LiveOptions
from fastflv.servers.http.router import Route, Router
from fastflv.servers.rtmp.connection import Ingest
from fastflv.servers.rtmp.options import IngestOptions
from fastflv.servers.rtmp.play import RtmpPlays
from fastflv.stream.clients import Clients
from fastflv.stream.hub import Hub

log = logging.getLogger(__name__)

ALPHABET = string.ascii_lowercase + string.digits


def new_id(length: int = 8) -> str:
    """Return random letters and digits: what SRS calls a context id."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def stream_router(live: Live, hls: HlsServer, api: Api, *, whole_api: bool, cross_domain: bool) -> Router:
    """Return the routes of the HTTP server's ports; *whole_api*: the API shares the port."""

    def match_api(request: Request) -> str | None:
        path = request.path
        # SRS answers the version on both ports, so that load balancers can probe the port that they forward to.
        shared = whole_api and (path.startswith("/api/") or path == "/metrics")
        return path if shared or path == "/api/v1/versions" else None

    methods = ("GET", "HEAD", "POST", "PUT", "DELETE")
    routes: list[Route[Any]] = [Route("api", methods, match_api, lambda exchange, path: api(exchange))]
    routes += hls.routes
    routes += live.routes
    return Router(routes, cross_domain=cross_domain)


class Server:
    """One running fastflv. Make it in the loop that it will run in; then `start`, and `stop` at the end."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self.settings = settings
        self._loop = loop
        self.hub = Hub(lambda: f"vid-{new_id(7)}")
        self.clients = Clients()
        self.connection_limit = ConnectionLimit(settings.max_connections)
        self.sender = Sender(settings.fanout_threads or min(len(os.sched_getaffinity(0)), limits.THREADS_MAX))
        self._vhosts = [
            VhostEntry(
                f"vid-{new_id(7)}",
                vhost.name,
                vhost.enabled,
                vhost.hls.hls_fragment if vhost.hls.enabled else None,
                vhost.publish.parse_sps,
            )
            for vhost in settings.vhosts.values()
        ]
        self._ingest_options = {
            vhost.name: ingest_options(vhost, settings) for vhost in settings.vhosts.values()
        }
        self._live_options = {vhost.name: live_options(vhost) for vhost in settings.vhosts.values()}
        self.players = Players(loop, self.sender, self.hub)
        self.plays = RtmpPlays(
            loop, self.hub, self.clients, self.players, on_missing=self._on_missing, new_id=new_id
        )
        self.ingest = Ingest(
            loop,
            self.hub,
            self.clients,
            self.connection_limit,
            vhost_of=self._ingest_vhost,
            new_id=new_id,
            start_play=self.plays.start,
        )
        self.live = Live(
            loop,
            self.hub,
            self.clients,
            self.players,
            self.connection_limit,
            vhost_of=self._live_vhost,
            new_id=new_id,
        )
        self._hls_options = {vhost.name: hls_options(vhost, settings) for vhost in settings.vhosts.values()}
        self.hls = HlsServer(loop, self.hub, self.clients, vhost_of=self._hls_vhost, new_id=new_id)
        self.hub.watchers.append(self.hls.muxers)
        auth = settings.http_api.auth
        self.api = Api(
            self.hub,
            self.clients,
            self.connection_limit,
            identity=Identity(settings.server_id or f"vid-{new_id(7)}", new_id()),
            vhosts=lambda: self._vhosts,
            clock=loop.time,
            windows=lambda: self.players.windows_ms,
            cross_domain=settings.http_api.crossdomain,
            credentials=(auth.username, auth.password) if auth.enabled else None,
            stats=lambda: self.settings.stats,
        )
        self._listeners: list[asyncio.Server | TlsListener] = []
        self._certificates: list[Certificates] = []
        self._certificates_kept: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Bind every listener. Raises StartupError when one cannot be had; then nothing is left open."""
        settings = self.settings
        server, api = settings.http_server, settings.http_api
        shared = api.enabled and server.enabled and api.listen == server.listen
        try:
            await self._listen(settings.listen, "RTMP", self.ingest.connection)
            if settings.rtmps is not None:
                context = self._tls(((settings.rtmps.cert, settings.rtmps.key),))
                await self._listen(settings.rtmps.listen, "RTMPS", self.ingest.seated_connection, context)
            if server.enabled:
                stream_server = stream_router(
                    self.live, self.hls, self.api, whole_api=shared, cross_domain=server.crossdomain
                )
                await self._listen(server.listen, "HTTP", self._http(stream_server))
                if server.https.enabled:
                    await self._listen(
                        server.https.listen,
                        "HTTPS",
                        self._http(stream_server, Seated(self.connection_limit)),
                        self._tls(server.https.pairs),
                    )
            if api.enabled and not shared:
                await self._listen(api.listen, "API", self._http(self.api))
            if api.enabled and api.https.enabled and api.https.listen != server.https.listen:
                await self._listen(
                    api.https.listen,
                    "API over TLS",
                    self._http(self.api, Seated(self.connection_limit)),
                    self._tls(api.https.pairs),
                )
            if self._certificates:
                self._certificates_kept = self._loop.create_task(self._keep_certificates())
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close the listeners, end every stream, let every player go."""
        if self._certificates_kept is not None:
            self._certificates_kept.cancel()
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for client in list(self.clients):
            if client.publish:
                client.drop(client)
        await self.hls.stop()
        self.players.stopping = True
        self.hub.end_all()
        # Players get the last bytes and a clean end before the threads go.
        deadline = self._loop.time() + limits.STOP_SECONDS
        while self.players.count and self._loop.time() < deadline:
            await asyncio.sleep(limits.STOP_STEP_SECONDS)
        self.players.stop()
        # What was said last leaves with the loop's next turns.
        await asyncio.sleep(limits.STOP_STEP_SECONDS)

    def _ingest_vhost(self, name: str) -> IngestOptions | None:
        vhost = self.settings.vhost(name)
        return self._ingest_options[vhost.name] if vhost is not None else None

    def _on_missing(self, vhost: str) -> float:
        return self._live_options[vhost].on_missing

    def _live_vhost(self, name: str) -> LiveOptions | None:
        vhost = self.settings.vhost(name)
        return self._live_options[vhost.name] if vhost is not None else None

    def _tls(self, pairs: Sequence[tuple[str, str]]) -> ssl.SSLContext:
        """The context for a TLS listener; its files are looked after. Raises StartupError with what to do."""
        self._certificates.append(Certificates(pairs))
        return self._certificates[-1].context

    async def _keep_certificates(self) -> None:
        while True:
            await asyncio.sleep(limits.CERTIFICATE_CHECK_SECONDS)
            for certificates in self._certificates:
                await self._loop.run_in_executor(None, certificates.check)

    def _hls_vhost(self, name: str) -> HlsOptions | None:
        vhost = self.settings.vhost(name)
        return self._hls_options[vhost.name] if vhost is not None else None

    def _http(self, handler: Handler, connection_limit: Seats | None = None) -> Callable[[], HttpConnection]:
        return lambda: HttpConnection(self._loop, handler, connection_limit or self.connection_limit)

    async def _listen(
        self,
        endpoints: Iterable[Endpoint],
        what: str,
        factory: Callable[[], asyncio.BaseProtocol],
        context: ssl.SSLContext | None = None,
    ) -> None:
        for endpoint in uncovered(endpoints):
            try:
                sock = bind(endpoint)
                listener: asyncio.Server | TlsListener
                if context is not None:
                    listener = TlsListener(self._loop, sock, context, self.connection_limit, factory)
                else:
                    listener = await self._loop.create_server(
                        factory, sock=sock, backlog=limits.LISTEN_BACKLOG
                    )
            except OSError as error:
                raise StartupError(
                    f"cannot listen for {what} on {endpoint}: {os.strerror(error.errno or 0).lower()}; "
                    "stop what uses that port (see `ss -ltnp`), or choose another port in the configuration"
                ) from error
            self._listeners.append(listener)
            log.info("%s on %s", what, endpoint)


def bind(endpoint: Endpoint) -> socket.socket:
    """Return a bound socket; an endpoint without address takes IPv6 and IPv4 where the machine has both."""
    family = socket.AF_INET6 if ":" in endpoint.host or not endpoint.host else socket.AF_INET
    if not endpoint.host and not _has_ipv6():
        family = socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1 if endpoint.host else 0)
        sock.bind((endpoint.host or ("::" if family == socket.AF_INET6 else "0.0.0.0"), endpoint.port))
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one; return what is in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft
