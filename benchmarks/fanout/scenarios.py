"""The scenarios: one for each row of the table of figures to reach."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from benchmarks.fanout import admission, clip, edges, errands, goals, h2, joins, measure, native
from benchmarks.fanout.goals import Goal, Runs
from benchmarks.fanout.servers import Server
from benchmarks.fanout.session import Bench, Measured, fan_out, loaded, started, steady
from benchmarks.fanout.settings import AUTO

Measure = Callable[[Bench, "Scenario", Server], Iterator[Measured]]
Judge = Callable[[str, Runs], list[Goal]]


@dataclass(frozen=True)
class Scenario:
    """One row: who takes part, with how many players, at which window, and what is asked of it."""

    name: str
    players: int
    window_ms: int
    judge: Judge
    measure: Measure
    servers: tuple[str, ...] = ("fastflv", "floor", "srs", "zlm", "nginx", "nms")
    windows: tuple[tuple[str, int], ...] = ()
    "Servers that are asked for another window."

    protocol: str = "flv"
    "What the players speak: one of settings.PROTOCOLS."

    def window_of(self, server: str) -> int:
        """Return the merge window of a server, milliseconds."""
        return dict(self.windows).get(server, self.window_ms)

    def label(self, server: str) -> str:
        """Return a server's name in the report: with what its players speak, when that is not HTTP-FLV."""
        return server if self.protocol == "flv" else f"{server} {self.protocol}"


def plain(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """Bring the players, measure one steady window."""
    window = scenario.window_of(server.name)
    yield fan_out(
        bench,
        scenario.name,
        server,
        scenario.players,
        window,
        scenario.label(server.name),
        protocol=scenario.protocol,
    )


def beside_flv(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """Players of the scenario's protocol; before them, of fastflv, as many of HTTP-FLV to compare with."""
    window = scenario.window_of(server.name)
    for protocol in ("flv", scenario.protocol) if server.name == "fastflv" else (scenario.protocol,):
        label = f"{server.name} {protocol}"
        yield fan_out(bench, scenario.name, server, scenario.players, window, label, protocol=protocol)


def two_threads(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """One sender thread, then two, the server on any core."""
    for threads in (1, 2):
        m = fan_out(
            bench,
            scenario.name,
            server,
            scenario.players,
            scenario.window_ms,
            f"{scenario.label(server.name)} x{threads}",
            threads=threads,
            pinned=False,
            protocol=scenario.protocol,
        )
        senders = sorted((percent for _, percent in m.threads[1:]), reverse=True)[:2]
        if threads == 2 and len(senders) == 2 and senders[0] > 0:
            m.extra["imbalance"] = 100 * (senders[0] - senders[1]) / senders[0]
        elif threads == 2:
            m.extra["imbalance"] = 100.0
        yield m


def two_workers(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """Half of the players at one server, then all at two workers, which share the core of that one."""
    window, players = scenario.window_of(server.name), scenario.players
    yield fan_out(bench, scenario.name, server, players // 2, window)
    yield fan_out(bench, scenario.name, server, players, window, f"{server.name} 2 workers", workers=2)


BY_LOAD = {
    "fastflv": (("fastflv", AUTO), ("fastflv 350", 350)),
    "srs": (("srs", 350), ("srs min_latency", 0)),
    "floor": (("floor", 0), ("floor 350", 350)),
}
"What each server is asked for beside `mw_latency auto`: its own default, and its least delay."


def by_load(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """Measure `mw_latency auto` beside fixed windows, with as many players."""
    for label, window in BY_LOAD[server.name]:
        yield fan_out(bench, scenario.name, server, scenario.players, window, label)


NEVER_READ_SECONDS = 15.0  # long enough that whoever queues for such players has done so


STEADY_STEP = 5.0  # seconds between two looks at a server's memory
STEADY_KB = 128  # growth within a step that counts as none
STEADY_LIMIT = 60.0  # seconds; a server that still grows then is measured as it is


def settled_memory(bench: Bench, pid: int) -> measure.Memory:
    """Wait until the media window is full, for it belongs to the stream and not to the players."""
    now = measure.memory(pid)
    for _ in range(int(min(STEADY_LIMIT, 6 * bench.seconds) / STEADY_STEP)):
        before = now
        bench.progress.sleep(STEADY_STEP, "one player")
        now = measure.memory(pid)
        if now.rss - before.rss < STEADY_KB:
            break
    return now


def memory(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """RSS with one player, with all, and with players that never read on top."""
    window = scenario.window_of(server.name)
    players = scenario.players
    idle = players // 4
    m = Measured(scenario.name, scenario.label(server.name), players, window)
    room = players + idle + 1
    with started(bench, server, window_ms=window, players=room, protocol=scenario.protocol) as live:
        with loaded(bench, live, 1, m.notes):
            base = settled_memory(bench, live.process.pid)
        with loaded(bench, live, players, m.notes) as load:
            steady(bench, live, load, m)
            full = measure.memory(live.process.pid)
            load.send(f"lazy {idle} 0")
            load.event("lazy", 30)
            bench.progress.sleep(NEVER_READ_SECONDS, f"{idle} players that never read")
            last = measure.memory(live.process.pid)
    m.extra |= {
        "kb_per_player": (full.rss - base.rss) / players,
        "kb_per_idle_player": (last.rss - full.rss) / max(idle, 1),
        "rss_one_player": base.rss,
    }
    bench.progress.say(
        f"{m.extra['kb_per_player']:.1f} KB a player, {m.extra['kb_per_idle_player']:.1f} if it never reads"
    )
    yield m


def publishers(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """Many publishers, no players; `players` of the scenario counts publishers."""
    streams = scenario.players
    m = fan_out(bench, scenario.name, server, 0, scenario.window_of(server.name), streams=streams)
    m.extra["publishers"] = streams
    yield m


def wall(per_stream: int) -> Measure:
    """Return a measurement of as many streams as the scenario has players, by *per_stream*."""

    def measure_wall(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
        streams = max(scenario.players // per_stream, 1)
        window = scenario.window_of(server.name)
        m = fan_out(bench, scenario.name, server, scenario.players, window, streams=streams)
        m.extra["publishers"] = streams
        yield m

    return measure_wall


def fat(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """Few players of a stream of 20 Mbit/s."""
    yield from plain(replace(bench, clip=clip.fat(native.cache_dir())), scenario, server)


def recordings(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """Many publishers, no players; then the same with each of them recorded."""
    for label, vhost in ((server.name, ""), (f"{server.name} recording", RECORDED)):
        m = fan_out(
            bench, scenario.name, server, 0, scenario.window_of(server.name), label,
            streams=scenario.players, vhost=vhost,
        )  # fmt: skip
        m.extra["publishers"] = scenario.players
        yield m


RECORDED = "dvr { enabled on; dvr_plan session; dvr_path {work}/record/[app]/[stream].[timestamp].flv; }"


def hundred(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """One publisher, a hundred players by `wrk -t1 -c100`, or by the load client where wrk is absent."""
    window = scenario.window_of(server.name)
    players = scenario.players
    wrk = shutil.which("wrk")
    protocol = scenario.protocol
    if wrk is None or protocol in ("ws", "rtmp"):
        m = fan_out(
            bench, scenario.name, server, players, window, scenario.label(server.name), protocol=protocol
        )
        m.notes.append("wrk is not installed, or does not speak this: measured with the load client")
        yield m
        return
    m = Measured(scenario.name, scenario.label(server.name), players, window)
    with started(bench, server, window_ms=window, players=players, protocol=protocol) as live:
        seconds = int(bench.settle + bench.seconds + 2)
        cores = ",".join(map(str, bench.client_cores))
        command = ["taskset", "-c", cores, wrk, "-t1", f"-c{players}", f"-d{seconds}s", live.url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as load:
            bench.progress.say(f"wrk -t1 -c{players} -d{seconds}s")
            try:
                bench.progress.sleep(bench.settle, "settling")
                steady(bench, live, None, m)
                text = load.communicate(timeout=seconds + 10)[0]
            finally:
                load.kill()
    read = re.search(r"([\d.]+)([KMG]?)B read", text)
    if read:
        scale = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}[read[2]]
        m.rate_median = float(read[1]) * scale * 8 / seconds / players
    m.notes.append(f"load by wrk -t1 -c{players}")
    bench.progress.say(f"CPU {m.cpu:.1f} %")
    yield m


SEND_AT_ONCE = (("srs", 10), ("zlm", 0), ("floor", 0))
"What others are asked for beside `mw_latency auto`."

MUXERS = ("fastflv", "srs", "zlm")  # who speaks more than HTTP-FLV


def table(published: float) -> dict[str, Scenario]:
    """Return all scenarios by name; `published` is the clip's rate, bits per second."""
    every = [
        Scenario("window350", 3000, 350, goals.fan_out_goals(0.40), plain),
        Scenario("window100", 2000, 100, goals.fan_out_goals(0.65), plain),
        Scenario("window40", 2000, 40, goals.fan_out_goals(0.75), plain),
        Scenario("frame", 2000, 0, goals.frame_goals, plain, windows=(("srs", 10),)),
        Scenario("tenthousand", 10000, 100, goals.many_goals(published), plain),
        Scenario("joinstorm", 1000, 100, goals.storm_goals, joins.join_storm),
        Scenario("threads", 3000, 100, goals.thread_goals, two_threads, servers=("fastflv",)),
        Scenario("memory", 2000, 350, goals.memory_goals, memory),
        Scenario(
            "publishers100",
            100,
            350,
            goals.publisher_goals,
            publishers,
            ("fastflv", "srs", "zlm", "nginx", "nms"),
        ),
        Scenario("publishers300", 300, 350, goals.crowd_goals(8, 60), publishers, MUXERS),
        Scenario("publishers1000", 1000, 350, goals.crowd_goals(15, 150), publishers, MUXERS),
        Scenario("wall300", 900, 350, goals.wall_goals(0.5, 1.0), wall(3), MUXERS, (("zlm", 300),)),
        Scenario("wall300auto", 900, AUTO, goals.wall_goals(0.6, 1.0, 30), wall(3), MUXERS, SEND_AT_ONCE),
        Scenario("wall1000", 1000, 350, goals.wall_goals(0.5, 1.0), wall(1), MUXERS, (("zlm", 300),)),
        Scenario("fat", 100, 350, goals.fat_goals, fat),
        Scenario("joinstormauto", 1000, AUTO, goals.first_byte_goals, joins.join_storm, windows=SEND_AT_ONCE),
        Scenario("admission", 100, AUTO, goals.admission_goals, admission.admitted, servers=("fastflv",)),
        Scenario("recordings100", 100, 350, goals.recording_goals, recordings, servers=("fastflv", "srs")),
        Scenario("busy1000", 1000, AUTO, goals.busy_goals, errands.busy, servers=("fastflv",)),
        Scenario("players100", 100, 350, goals.hundred_goals, hundred),
        Scenario("ts1000", 1000, 350, goals.beside_flv_goals("ts", 1.25), beside_flv, MUXERS, protocol="ts"),
        Scenario(
            "ws1000",
            1000,
            350,
            goals.beside_flv_goals("ws", 1.25),
            beside_flv,
            ("fastflv", "zlm"),
            protocol="ws",
        ),
        Scenario("https1000", 1000, 350, goals.https_goals, joins.secure, MUXERS, protocol="https"),
        Scenario("edge3000", 3000, 350, goals.edge_goals, edges.beside_origin, servers=("fastflv",)),
        Scenario("edgehop", 100, 0, goals.hop_goals, edges.beside_origin, servers=("fastflv",)),
        Scenario("workers3000", 3000, 350, goals.worker_goals, two_workers, servers=("fastflv",)),
        Scenario("h2", 128, AUTO, goals.h2_goals, h2.beside_http1, ("fastflv",), protocol="https"),
        Scenario("rtmp1000", 1000, 350, goals.rtmp_goals, plain, MUXERS, protocol="rtmp"),
    ]
    every += [
        Scenario(f"auto{players}", players, AUTO, goals.auto_goals, by_load, ("fastflv", "floor", "srs"))
        for players in (10, 100, 1000, 3000, 6000, 10000)
    ]
    return {s.name: s for s in every}
