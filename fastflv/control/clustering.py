"""How a server takes part in a cluster: what its edges fetch, its directories, redirects and coworkers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from fastflv.access.rule import Rule
from fastflv.cluster.address import OriginAddress
from fastflv.cluster.coworkers import CoworkerRule
from fastflv.cluster.directories import Directories
from fastflv.cluster.directory import NodeCard, mark_of
from fastflv.cluster.options import DirectoryOptions, EdgeOptions
from fastflv.cluster.redirect import RedirectRule
from fastflv.control.edges import edge_figures, make_pulls, make_relays, make_traverse
from fastflv.servers.api.identity import Identity
from fastflv.servers.api.network import address
from fastflv.servers.metrics.figures import EdgeFigures
from fastflv.stream.name import StreamName

if TYPE_CHECKING:
    from fastflv.control.runtime import VhostRuntime
    from fastflv.control.server import Server

LISTENERS: Final = {"RTMP": "rtmp", "RTMPS": "rtmps", "HTTP": "http", "HTTPS": "https", "API": "api"}
"Schemes in the directory by name of the listener."


class Clustering:
    """What one server has of its cluster, and the rules that send clients elsewhere."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop, identity: Identity) -> None:
        self._server = server
        self._identity = identity
        siblings = server.siblings
        self.pulls = make_pulls(
            loop,
            server.turns,
            server.rtmp.feeding,
            server.publications,
            identity,
            lambda: server.runtime,
            siblings.edge if siblings is not None else lambda name, publish: None,
            self.names,
        )
        self._traverse = make_traverse(loop, self.pulls.origins, lambda: server.runtime)
        self.relays = make_relays(self.pulls, server.players, identity.service, lambda: server.runtime)
        mark = mark_of(identity.service, siblings.place.number if siblings is not None else 0)
        self.directories = Directories(loop, server.hub, mark, options_of=self.options_of, card=self._card)
        self.pulls.follow(self.directories)
        server.hub.watchers.append(self.directories)
        self._redirect = RedirectRule(self.directories, self._is_here, self.options_of, self._load)
        hooks = server.hooks
        self._coworkers = CoworkerRule(loop, hooks.client, hooks.faults, self._is_here, self._coworkers_of)

    def adopt(self) -> None:
        """A configuration is in force."""
        vhosts = self._server.runtime.vhosts
        self.directories.adopt({name: vhost.directory for name, vhost in vhosts.items()})
        if any(_has_colleagues(vhost) for vhost in vhosts.values()):
            self._server.hub.expect_edges()

    def rules_of(self, vhost: str) -> tuple[Rule, ...]:
        """The rules of a vhost that send its clients elsewhere."""
        redirect = (self._redirect,) if self.options_of(vhost) is not None else ()
        return (*redirect, self._coworkers) if self._coworkers_of(vhost) else redirect

    def traverse_of(self, edge: EdgeOptions) -> tuple[Rule, ...]:
        """The rule of an edge vhost that asks an origin about its clients."""
        return (self._traverse,) if edge.traverse else ()

    def figures(self) -> EdgeFigures | None:
        """Return what `/metrics` says of edges."""
        return edge_figures(self.pulls, self.relays)

    def options_of(self, vhost: str) -> DirectoryOptions | None:
        """Return how a vhost uses its directory by now."""
        found = self._server.runtime.vhosts.get(vhost)
        return found.directory if found is not None else None

    def names(self, address: OriginAddress) -> bool:
        """Whether an origin is a server of a directory, or another worker."""
        siblings = self._server.siblings
        return self.directories.names(address) or (siblings is not None and siblings.names(address))

    def _coworkers_of(self, vhost: str) -> Sequence[str]:
        found = self._server.runtime.vhosts.get(vhost)
        cluster = found.vhost.cluster if found is not None else None
        return cluster.coworkers if cluster is not None and cluster.origin_cluster else ()

    def _is_here(self, name: StreamName) -> bool:
        """Whether this server has the stream, be it at another worker."""
        siblings = self._server.siblings
        return self._server.hub.find(name) is not None or (siblings is not None and siblings.has(name))

    def _load(self) -> tuple[int, int]:
        """Players, and kbit/s sent to clients."""
        clients = self._server.clients
        newest = self._server.trends.newest
        return clients.players, newest.send_kbps if newest is not None else 0

    def _card(self, url: str) -> NodeCard:
        server = self._server
        vhosts = {
            name: vhost.directory
            for name, vhost in server.runtime.vhosts.items()
            if vhost.directory is not None and vhost.directory.url == url
        }
        host = next((options.advertise for options in vhosts.values() if options.advertise), "")
        host = host or os.environ.get("SRS_DEVICE_IP") or address(server.runtime.settings.stats.network)
        host = f"[{host}]" if ":" in host else host
        players, kbps = self._load()
        return NodeCard(
            self._identity.server,
            {
                scheme: f"{host}:{ports[0]}"
                for name, scheme in LISTENERS.items()
                if (ports := server.listeners.ports(name))
            },
            players,
            kbps,
            tuple(
                name
                for name, options in vhosts.items()
                if options.edge and not self._redirect.is_full(options)
            ),
            tuple(name for name, options in vhosts.items() if not options.edge),
        )


def _has_colleagues(vhost: VhostRuntime) -> bool:
    """Whether edges may come to its streams that find other servers without the help of their configuration."""
    directory = vhost.directory is not None and not vhost.directory.edge
    return directory or (vhost.vhost.enabled and vhost.vhost.cluster.origin_cluster)
