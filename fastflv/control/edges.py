"""Edges: what fetches their streams, and passes on what is published to them."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastflv import __version__
from fastflv.cluster.address import OriginAddress
from fastflv.cluster.options import EdgeOptions
from fastflv.cluster.origins import IsNamed, Origins, ask_for_life
from fastflv.cluster.pulls import Pulls
from fastflv.cluster.relay import Relays
from fastflv.cluster.states import PullState
from fastflv.cluster.traverse import TraverseRule
from fastflv.cluster.upstream import Dialer
from fastflv.net.turns import Turns
from fastflv.playing.players import Players
from fastflv.servers.api.identity import Identity
from fastflv.servers.metrics.figures import EdgeFigures
from fastflv.servers.rtmp.feed import Feeding
from fastflv.stream.name import StreamName
from fastflv.stream.publication import Publications, PublishOptions

if TYPE_CHECKING:
    from fastflv.control.runtime import Runtime


def make_pulls(
    loop: asyncio.AbstractEventLoop,
    turns: Turns,
    feeding: Feeding,
    publications: Publications,
    identity: Identity,
    runtime: Callable[[], Runtime],
    beside: Callable[[StreamName, PublishOptions], EdgeOptions | None],
    is_found: IsNamed,
) -> Pulls:
    """*runtime* returns the configuration in force. *beside*: how a stream of another worker is fetched; None: it has none.

    *is_found*: whether an origin that the configuration does not name is another worker, or in a directory.
    """
    about: dict[str, str | float] = {
        "srs_sig": "fastflv",
        "srs_server": f"fastflv/{__version__}",
        "srs_version": __version__,
        "srs_pid": float(os.getpid()),
        "srs_id": identity.server,
    }

    def options_of(name: StreamName) -> EdgeOptions | None:
        found = runtime().vhosts.get(name.vhost)
        if found is None or not found.vhost.enabled:
            return None
        return found.edge or beside(name, found.publish)

    def is_named(address: OriginAddress) -> bool:
        edges = (vhost.edge for vhost in runtime().vhosts.values())
        return any(edge.names(address) for edge in edges if edge is not None) or is_found(address)

    origins = Origins(loop, ask_for_life, is_named)
    return Pulls(Dialer(loop, turns, feeding, about), publications, origins, options_of)


def make_relays(pulls: Pulls, players: Players, mark: str, runtime: Callable[[], Runtime]) -> Relays:
    """*mark* names this process to other servers. *runtime* returns the configuration in force."""

    def options_of(vhost: str) -> EdgeOptions | None:
        found = runtime().vhosts.get(vhost)
        return found.edge if found is not None else None

    return Relays(pulls, players, mark, options_of)


def edge_figures(pulls: Pulls, relays: Relays) -> EdgeFigures | None:
    """Return what `/metrics` says; None where nothing was ever fetched or passed on."""
    if not len(pulls.origins):
        return None
    states = Counter({state.value: 0 for state in PullState})
    states.update(pull.state.value for pull in pulls)
    down = sum(bool(health.fault) for health in pulls.origins)
    return EdgeFigures(states, pulls.begun, pulls.switches, len(relays), down)


def make_traverse(
    loop: asyncio.AbstractEventLoop, origins: Origins, runtime: Callable[[], Runtime]
) -> TraverseRule:
    """*origins*: their health. *runtime* returns the configuration in force."""

    def origins_of(vhost: str) -> list[OriginAddress]:
        found = runtime().vhosts.get(vhost)
        edge = found.edge if found is not None else None
        return origins.ordered(edge.rtmp_origins) if edge is not None and edge.traverse else []

    return TraverseRule(loop, origins_of)
