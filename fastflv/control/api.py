"""The API of one server: where its rows come from."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from fastflv.cluster.api import UpstreamRows
from fastflv.config.model.vhost import Vhost
from fastflv.net.clientid import new_id
from fastflv.servers.api.api import Api
from fastflv.servers.api.census import Census, VhostEntry
from fastflv.servers.api.clusters import ClusterDirectory, ClusterNode, Clusters, Own
from fastflv.servers.api.configuration import Configuration, InForce
from fastflv.servers.api.forwards import ForwardRows
from fastflv.servers.api.guard import ApiGuard
from fastflv.servers.api.identity import Identity
from fastflv.servers.api.logs import Logs
from fastflv.servers.api.network import address
from fastflv.servers.api.playurls import PlayUrls
from fastflv.servers.api.ports import OpenPort, Ports
from fastflv.servers.api.raw import Raw
from fastflv.servers.api.recentlog import RecentLog
from fastflv.servers.api.tokens import TokenRows
from fastflv.servers.api.trends import Trends

if TYPE_CHECKING:
    from fastflv.control.server import Server

SCHEMES: Final = {
    "RTMP": "rtmp",
    "RTMPS": "rtmps",
    "HTTPS": "https",
    "API over TLS": "https",
    "FLV over TCP": "tcp",
}
"Schemes of URLs by name of the listener; those of all others are http."


class ApiRooms:
    """The API and what it shows of a server."""

    def __init__(
        self,
        server: Server,
        loop: asyncio.AbstractEventLoop,
        identity: Identity,
        recent: RecentLog | None,
    ) -> None:
        """*recent*: the newest lines of the log; None: the program that embeds the server has them."""
        self._server = server
        self._time = loop.time
        self._ids: dict[str, str] = {}
        "Ids of vhosts by name; they outlive a reload."
        self.guard = ApiGuard(lambda: server.runtime.settings.http_api)
        census = Census(server.hub, server.clients, self._vhosts, loop.time)
        self.trends = Trends(loop, server.turns, census, server.connection_limit)
        self.api = Api(
            census,
            server.connection_limit,
            server.turns,
            identity=identity,
            raw=Raw(loop, lambda: server.runtime.settings.http_api),
            guard=self.guard,
            metrics=server.metrics.handle,
            stats=lambda: server.runtime.settings.stats,
            unready=lambda: server.unready,
        )
        rooms = (
            PlayUrls(census, lambda vhost: server.runtime.vhosts[vhost].site.routes),
            self.trends,
            Ports(self.ports),
            Configuration(lambda: InForce(server.runtime.number, server.runtime.settings)),
            Logs(recent),
            UpstreamRows(server.parts.pulls),
            ForwardRows(lambda: server.parts.forwards or (), loop.time),
            Clusters(server.hub, self._directories, self._own),
            TokenRows(server.tokens.store, server.tokens.drop_revoked),
        )
        for room in rooms:
            self.api.table.add(*room.operations())

    def ports(self) -> Iterator[OpenPort]:
        """The open TCP ports."""
        settings = self._server.runtime.settings
        shared = {"HTTP": settings.api_shared, "HTTPS": settings.api_https_shared}
        for listener in self._server.listeners:
            address = listener.address
            if isinstance(address, tuple):
                name, host = listener.name, address[0]
                yield OpenPort(
                    name,
                    "" if host in ("0.0.0.0", "::") else host,
                    address[1],
                    SCHEMES.get(name, "http"),
                    name in ("RTMP", "RTMPS", "HTTP", "HTTPS"),
                    name.startswith("API") or shared.get(name, False),
                )

    def _directories(self) -> list[ClusterDirectory]:
        cluster = self._server.parts.cluster
        if cluster is None:
            return []
        loop_time = self._time()
        return [
            ClusterDirectory(
                link.shown,
                link.fault,
                loop_time - link.since,
                [
                    ClusterNode(
                        node.mark,
                        link.directory.is_own(node.mark),
                        node.card.server,
                        node.card.addresses,
                        node.card.players,
                        node.card.kbps,
                        node.streams,
                    )
                    for node in link.directory
                ],
            )
            for link in cluster.directories
        ]

    def _own(self) -> Own:
        server = self._server
        ports = {name: server.listeners.ports(name) for name in ("RTMP", "API")}
        rtmp, api = (next(iter(ports[name]), 0) for name in ("RTMP", "API"))
        return Own(address(server.runtime.settings.stats.network), rtmp, api)

    def _new_id(self, vhost: str) -> str:
        siblings = self._server.siblings
        self._ids[vhost] = siblings.place.id_of(vhost) if siblings is not None else f"vid-{new_id(7)}"
        return self._ids[vhost]

    def _vhosts(self) -> list[VhostEntry]:
        return [
            _entry(self._ids.get(vhost.name) or self._new_id(vhost.name), vhost)
            for vhost in self._server.runtime.settings.vhosts.values()
        ]


def _entry(id: str, vhost: Vhost) -> VhostEntry:
    return VhostEntry(
        id,
        vhost.name,
        vhost.enabled,
        vhost.hls.hls_fragment if vhost.hls.enabled else None,
        vhost.publish.parse_sps,
        vhost.auth.apply if vhost.auth.enabled else (),
        vhost.timeshift.window,
    )
