"""The metrics of one server: where their figures come from, and who writes their text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from fastflv._ext.log.arena import arena_bytes
from fastflv.cluster.directories import Directories
from fastflv.cluster.forwards import Forwards
from fastflv.config.model.server import Exporter
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.turns import Turns
from fastflv.playing.players import Players
from fastflv.servers.api.identity import Identity
from fastflv.servers.api.machine import CpuMeter, resident_kbyte
from fastflv.servers.metrics.figures import EdgeFigures, Figures, ForwardFigures, Survey
from fastflv.servers.metrics.server import MetricsServer
from fastflv.servers.metrics.streamrows import StreamRows
from fastflv.stream.clients import Clients
from fastflv.stream.hub import Hub
from fastflv.stream.joindelays import JoinDelays


def make_metrics(
    loop: asyncio.AbstractEventLoop,
    turns: Turns,
    hub: Hub,
    clients: Clients,
    players: Players,
    connection_limit: ConnectionLimit,
    limited: Mapping[str, int],
    forwards: Forwards,
    directories: Directories,
    identity: Identity,
    exporter: Callable[[], Exporter],
    edge: Callable[[], EdgeFigures | None],
) -> MetricsServer:
    """*limited*: refusals by name of the limit. *exporter* returns the settings in force, *edge* what is fetched."""
    cpu = CpuMeter()
    joins = JoinDelays(hub.delays)
    clients.watchers.append(joins)
    rows = StreamRows(lambda: exporter().streams)

    def survey() -> Survey:
        now_ms = int(loop.time() * 1000)
        survey = Survey(
            hub,
            clients,
            connection_limit,
            limited={**limited, "accept ip": connection_limit.crowded}
            if connection_limit.crowded
            else limited,
            forwards=ForwardFigures(forwards.states(), forwards.sent, forwards.failures),
            directories={link.shown: not link.fault for link in directories},
            windows=players.windows_ms,
            rows=rows,
            joins=joins,
            now_ms=now_ms,
        )
        survey.figures.edge = edge()
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
