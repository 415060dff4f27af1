"""The metrics of one server: where their figures come from, and who writes their text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from fastflv._ext.log.arena import arena_bytes
from fastflv.cluster.states import forward_counts
from fastflv.config.model.server import Exporter
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.turns import Turns
from fastflv.playing.players import Players
from fastflv.servers.api.identity import Identity
from fastflv.servers.api.machine import CpuMeter, resident_kbyte
from fastflv.servers.metrics.figures import Figures, ForwardFigures, Survey
from fastflv.servers.metrics.server import MetricsServer
from fastflv.servers.metrics.streamrows import StreamRows
from fastflv.stream.clients import Clients
from fastflv.stream.hub import Hub
from fastflv.stream.joindelays import JoinDelays

if TYPE_CHECKING:
    from fastflv.control.parts import Parts


def make_metrics(
    loop: asyncio.AbstractEventLoop,
    turns: Turns,
    hub: Hub,
    clients: Clients,
    players: Players,
    connection_limit: ConnectionLimit,
    limited: Mapping[str, int],
    parts: Parts,
    identity: Identity,
    exporter: Callable[[], Exporter],
) -> MetricsServer:
    """*limited*: refusals by name of the limit. *exporter* returns the settings in force."""
    cpu = CpuMeter()
    joins = JoinDelays(hub.delays)
    clients.left.append(joins.client_left)
    rows = StreamRows(lambda: exporter().streams)

    def survey() -> Survey:
        now_ms = int(loop.time() * 1000)
        forwards, cluster = parts.forwards, parts.cluster
        survey = Survey(
            hub,
            clients,
            connection_limit,
            limited={**limited, "accept ip": connection_limit.crowded}
            if connection_limit.crowded
            else limited,
            forwards=ForwardFigures(forwards.states(), forwards.sent, forwards.failures)
            if forwards is not None
            else ForwardFigures(forward_counts(), 0, 0),
            directories={link.shown: not link.fault for link in cluster.directories}
            if cluster is not None
            else {},
            windows=players.windows_ms,
            rows=rows,
            joins=joins,
            now_ms=now_ms,
        )
        survey.figures.edge = cluster.figures() if cluster is not None else None
        return survey

    def write(figures: Figures) -> bytes:
        # A server that nobody scrapes does not load the library.
        from fastflv.servers.metrics.exposition import Node, write_text

        settings = exporter()
        figures.cpu = cpu.shares()[0]
        figures.memory = resident_kbyte() * 1024
        figures.pages = arena_bytes()
        node = Node(identity.server, identity.service, settings.label, settings.tag)
        return write_text(figures, node)

    return MetricsServer(loop, turns, survey=survey, write=write)
