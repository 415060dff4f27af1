"""Edges: from their settings to what fetches their streams."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastflv import __version__
from fastflv.cluster.address import OriginAddress, parse_origin
from fastflv.cluster.options import EdgeOptions, pulled
from fastflv.cluster.origins import IsNamed, Origins, ask_for_life
from fastflv.cluster.pull import PullState
from fastflv.cluster.pulls import Pulls
from fastflv.cluster.relay import Relays
from fastflv.cluster.traverse import TraverseRule
from fastflv.cluster.upstream import Dialer
from fastflv.config.grammar.problems import Problems
from fastflv.config.masking import masked
from fastflv.config.model.cluster import ClusterMode, PullProtocol
from fastflv.config.model.vhost import Vhost
from fastflv.net.turns import Turns
from fastflv.playing.players import Players
from fastflv.servers.api.identity import Identity
from fastflv.servers.metrics.figures import EdgeFigures
from fastflv.servers.rtmp.feed import Feeding
from fastflv.stream.name import StreamName
from fastflv.stream.publication import Publications, PublishOptions

if TYPE_CHECKING:
    from fastflv.control.runtime import Runtime


def check_origins(vhost: Vhost, problems: Problems) -> None:
    """Add a problem for each origin of an edge that is none."""
    cluster = vhost.cluster
    if not vhost.enabled or cluster.mode is not ClusterMode.REMOTE or vhost.source is None:
        return
    at = vhost.source.sub("cluster").value("origin", split=True)
    for index, word in enumerate(at.words if at is not None else ()):
        try:
            parse_origin(word, cluster.protocol.scheme)
        except ValueError as error:
            assert at is not None
            problems.add(at.error(f"cannot be '{masked(word)}'", str(error), word=index))


def edge_options(vhost: Vhost, publish: PublishOptions) -> EdgeOptions | None:
    """Return how the streams of a vhost are fetched; None where they are published here."""
    cluster = vhost.cluster
    if cluster.mode is not ClusterMode.REMOTE:
        return None
    follow, protocol = cluster.follow_client, cluster.protocol
    by_http = protocol in (PullProtocol.FLV, PullProtocol.FLVS)
    rtmp = PullProtocol.RTMP.scheme if by_http else protocol.scheme
    http = PullProtocol.FLVS.scheme if protocol is PullProtocol.FLVS else PullProtocol.FLV.scheme
    return EdgeOptions(
        tuple(parse_origin(each, rtmp if follow else protocol.scheme) for each in cluster.origin),
        tuple(parse_origin(each, http) for each in cluster.origin) if follow else (),
        tuple(parse_origin(each, rtmp) for each in cluster.origin),
        traverse=cluster.token_traverse,
        scheme=rtmp if follow else protocol.scheme,
        http_scheme=http if follow else "",
        directory=cluster.directory,
        vhost=cluster.vhost,
        upnode=cluster.debug_srs_upnode,
        linger=cluster.linger,
        warm=cluster.warm,
        publish=pulled(publish),
    )


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
