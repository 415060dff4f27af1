"""How a server takes part in a cluster: directories, redirects and coworkers of its vhosts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from fastflv.access.rule import Rule
from fastflv.cluster.address import OriginAddress
from fastflv.cluster.coworkers import CoworkerRule
from fastflv.cluster.directories import Directories, DirectoryOptions
from fastflv.cluster.directory import NodeCard, mark_of
from fastflv.cluster.directorylink import directory_fault
from fastflv.cluster.redirect import RedirectRule
from fastflv.config.grammar.problems import Problems
from fastflv.config.model.cluster import ClusterMode
from fastflv.config.model.vhost import Vhost
from fastflv.servers.api.identity import Identity
from fastflv.servers.api.network import address
from fastflv.stream.name import StreamName

if TYPE_CHECKING:
    from fastflv.control.runtime import VhostRuntime
    from fastflv.control.server import Server

LISTENERS: Final = {"RTMP": "rtmp", "RTMPS": "rtmps", "HTTP": "http", "HTTPS": "https", "API": "api"}
"Schemes in the directory by name of the listener."

REDIRECTED: Final = frozenset({"play", "publish"})


def check_directory(vhost: Vhost, problems: Problems) -> None:
    """Add a problem for a directory of *vhost* that cannot be used, and for a word of `redirect` that means nothing."""
    cluster = vhost.cluster
    if not vhost.enabled or not cluster.directory or vhost.source is None:
        return
    section = vhost.source.sub("cluster")
    at, redirect = section.value("directory"), section.value("redirect", split=True)
    assert at is not None
    fault = directory_fault(cluster.directory)
    if fault:
        problems.add(at.error(fault, "for example 'directory redis://127.0.0.1:6379/0;'"))
    elif find_spec("redis") is None:
        problems.add(at.error("needs the package redis", "run: pip install 'fastflv[redis]'"))
    for index, word in enumerate(redirect.words if redirect is not None else ()):
        if word not in REDIRECTED and word != "off":
            assert redirect is not None
            problems.add(
                redirect.error(f"cannot be '{word}'", "write play, publish, both, or off", word=index)
            )


def directory_options(vhost: Vhost) -> DirectoryOptions | None:
    """Return how a vhost uses its directory; None where it has none."""
    cluster = vhost.cluster
    if not vhost.enabled or not cluster.directory:
        return None
    return DirectoryOptions(
        cluster.directory,
        cluster.advertise,
        edge=cluster.mode is ClusterMode.REMOTE,
        redirect=REDIRECTED & frozenset(cluster.redirect),
        max_players=cluster.max_players,
        max_kbps=cluster.max_bandwidth,
    )


class Clustering:
    """What one server has of its cluster, and the rules that send clients elsewhere."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop, identity: Identity) -> None:
        self._server = server
        self._identity = identity
        siblings = server.siblings
        mark = mark_of(identity.service, siblings.place.number if siblings is not None else 0)
        self.directories = Directories(loop, server.hub, mark, options_of=self.options_of, card=self._card)
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
