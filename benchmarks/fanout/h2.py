"""Players over HTTP/2, sixteen a connection, beside as many over HTTP/1.1 and TLS."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.processes import Talker, running
from benchmarks.fanout.servers import Server
from benchmarks.fanout.session import Bench, Measured, fan_out, started, steady

if TYPE_CHECKING:
    from benchmarks.fanout.scenarios import Scenario

EACH = 16
"Players of a connection: a wall of cameras in a browser."


def beside_http1(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """The same players by HTTP/1.1, then by HTTP/2: that is what counts."""
    if importlib.util.find_spec("h2") is None:
        raise BenchError("HTTP/2 needs the package h2: pip install 'fastflv[http2]'")
    window, players = scenario.window_of(server.name), scenario.players
    yield fan_out(bench, scenario.name, server, players, window, f"{server.name} https", protocol="https")
    m = Measured(scenario.name, f"{server.name} h2", players, window)
    with started(bench, server, window_ms=window, players=players, protocol="https") as live:
        argv = [sys.executable, "-m", "benchmarks.fanout.h2load", live.url, str(players), str(EACH)]
        load = Talker("load client", argv, bench.client_cores, live.work / "load.log")
        with running(load):
            bench.progress.say(f"{players} players join, {EACH} a connection")
            if load.event("ready", 60) is None:
                raise BenchError(f"the players had no media: {load.last_words()}")
            bench.progress.sleep(bench.settle, "settling")
            steady(bench, live, load, m)
    bench.progress.say(f"CPU {m.cpu:.1f} %, delay p50 {m.p50:.1f} p99 {m.p99:.1f} ms")
    yield m
