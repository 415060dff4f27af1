"""Players of one stream while the same server records, makes clips and sends files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.processes import Talker, running
from benchmarks.fanout.servers import Server
from benchmarks.fanout.session import Bench, Measured, loaded, started, steady

if TYPE_CHECKING:
    from benchmarks.fanout.scenarios import Scenario

STREAMS = 20
"Publishers; each is recorded, and clips are made of all in turn."
PAST_SECONDS = 12.0
"Of publishing before the first clip: a clip has ten seconds."
LARGE_BYTES, SMALL_FILES, SMALL_BYTES = 100_000_000, 100, 4096
VHOST = """timeshift { window 60; }
    record_path {work}/record;
    http_static { enabled on; mount [vhost]/; dir {work}/html; }"""


def busy(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """Measure the players in calm, then beside the errands: that is what counts."""
    window = scenario.window_of(server.name)
    players = scenario.players
    calm, m = (Measured(scenario.name, scenario.label(server.name), players, window) for _ in range(2))
    with (
        started(
            bench, server, window_ms=window, players=players + 100, streams=STREAMS, vhost=VHOST,
            warm=PAST_SECONDS,
        ) as live,
        loaded(bench, live, players, m.notes, live.url) as load,
    ):  # fmt: skip
        html = live.work / "html"
        html.mkdir()
        (html / "large.mp4").write_bytes(bytes(LARGE_BYTES))
        for number in range(SMALL_FILES):
            (html / f"{number}.html").write_bytes(bytes(SMALL_BYTES))
        steady(bench, live, load, calm)
        bench.progress.say(f"in calm CPU {calm.cpu:.1f} %, delay p50 {calm.p50:.1f} p99 {calm.p99:.1f} ms")
        ports = (str(live.settings.http_port), str(live.settings.api_port))
        argv = [sys.executable, "-m", "benchmarks.fanout.errandboy", *ports, str(STREAMS)]
        boy = Talker("errands", argv, bench.client_cores, live.work / "errands.log")
        with running(boy):
            if boy.event("begun", 30) is None:
                raise BenchError("the errands did not begin")
            steady(bench, live, load, m)
            boy.send("end")
            done = boy.event("done", 60)
    if done is None:
        raise BenchError("the errands did not end")
    del done["event"]
    m.extra |= {"calm_p99": calm.p99, "calm_cpu": calm.cpu, **done}
    bench.progress.say(f"CPU {m.cpu:.1f} %, delay p50 {m.p50:.1f} p99 {m.p99:.1f} ms; {done}")
    yield m
