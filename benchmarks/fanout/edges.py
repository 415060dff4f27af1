"""Players of an edge, beside as many of the origin that it fetches from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.fanout.processes import Child, free_ports, running
from benchmarks.fanout.servers import Server
from benchmarks.fanout.session import Bench, Live, Measured, loaded, started, steady

if TYPE_CHECKING:
    from benchmarks.fanout.scenarios import Scenario


def beside_origin(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """Measure the players at the origin, then at an edge: that is what counts. The origin then runs beside the load client."""
    window, players = scenario.window_of(server.name), scenario.players
    origin, edge = (
        Measured(scenario.name, label, players, window) for label in (server.name, f"{server.name} edge")
    )
    with (
        started(bench, server, window_ms=window, players=players) as live,
        loaded(bench, live, players, origin.notes) as load,
    ):
        steady(bench, live, load, origin)
    bench.progress.say(f"origin: CPU {origin.cpu:.1f} %, delay p50 {origin.p50:.1f} p99 {origin.p99:.1f} ms")
    yield origin
    with started(bench, server, window_ms=0, players=1, cores=bench.client_cores) as live:
        rtmp_port, http_port, api_port = free_ports(3)
        settings = replace(
            live.settings, rtmp_port=rtmp_port, http_port=http_port, api_port=api_port, window_ms=window,
            max_players=players + 100,
            vhost=f"cluster {{ mode remote; origin 127.0.0.1:{live.settings.rtmp_port}; }}",
        )  # fmt: skip
        work = live.work / "edge"
        work.mkdir()
        process = Child("edge", server.argv(settings, work), bench.server_cores, work / "server.log")
        with running(process):
            process.await_port(http_port)
            there = Live(server, settings, process, live.publisher, work)
            with loaded(bench, there, players, edge.notes) as load:
                steady(bench, there, load, edge)
    bench.progress.say(f"edge: CPU {edge.cpu:.1f} %, delay p50 {edge.p50:.1f} p99 {edge.p99:.1f} ms")
    yield edge
