"""One measurement: one server, one publisher, one load, one steady window."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fanout import measure, profile
from benchmarks.fanout.certificate import Certificate
from benchmarks.fanout.clip import Clip
from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.processes import Child, Talker, free_ports, running
from benchmarks.fanout.progress import Progress
from benchmarks.fanout.servers import Server
from benchmarks.fanout.settings import Settings

STREAM = "livestream"
GOP_SECONDS = 2.5  # after the publisher's start, so that a whole GOP is cached before players come
SLOW_SHARE = 0.3  # of the published rate
CLIENT_BOUND = 90.0  # percent of its core: above it the client, not the server, sets the figures


@dataclass
class Bench:
    """What every measurement of a run shares."""

    clip: Clip
    programs: dict[str, Path]
    progress: Progress
    server_cores: set[int]
    client_cores: set[int]
    seconds: float = 10.0
    "Length of the steady window."

    settle: float = 3.0
    "Wait between the last join and the window."

    joins: float = 1000.0
    "Joins a second while the players connect."

    sample: int = 20
    "Players whose bytes are parsed."

    close: bool = False
    "Players ask with `Connection: close`, which servers may answer without chunk framing."

    never_read: int = 0
    "Players on top that never read."

    slow: int = 0
    "Players on top that read at 30 % of the rate."

    nap_ms: int = 0
    "How often the players look for bytes; 0: they wait in epoll, and the server's send pays for the wake-up."

    profiles: Path | None = None
    "Where to write a profile of each server, or None."

    certificate: Certificate | None = None
    "For HTTPS; `programs` then has load-tls."

    spread_ms: int = 40
    "Time over which the starts of many publishers are spread, milliseconds."


@dataclass
class Measured:
    """The figures of one measurement. CPU in percent of one core, memory in KiB, times in milliseconds.

    Of a server of several workers CPU and memory are those of one, on average.
    """

    scenario: str
    server: str
    players: int
    window_ms: int
    cpu: float = 0.0
    threads: list[tuple[str, float]] = field(default_factory=list)
    rss: int = 0
    "Mean over the steady window: GOPs come and go."

    rss_peak: int = 0
    pss: int = 0
    p50: float = 0.0
    p99: float = 0.0
    worst: float = 0.0
    read_p99: float = 0.0
    "p99 delay when the client had read the frame; p50, p99 and worst are when it had arrived."

    rate_min: float = 0.0
    "Bits per second of the slowest player."

    rate_median: float = 0.0
    flowing: int = 0
    "Players that had media at the end."

    missing: int = 0
    "Frames that parsed players did not get."

    broken: int = 0
    "Parsed players that saw a broken rule."

    client_cpu: float = 0.0
    publish_late: float = 0.0
    "The latest that the publisher itself was behind its plan."

    other_busy: float = 0.0
    "CPU that all else used on the server's core, percent, ksoftirqd included."

    deferred: float = 0.0
    "CPU of the core's ksoftirqd, percent: under contention the kernel moves part of the sends there."

    notes: list[str] = field(default_factory=list)
    extra: dict[str, float] = field(default_factory=dict)
    "Figures of single scenarios, such as first_keyframe_p99."

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


@dataclass
class Live:
    """A started server, with what publishes to it."""

    server: Server
    settings: Settings
    process: Child
    publisher: Talker | None
    work: Path

    streams: int = 1

    @property
    def pids(self) -> list[int]:
        """The processes that serve players: its own, or its workers."""
        return [self.process.pid] if self.settings.workers == 1 else measure.children(self.process.pid)

    @property
    def stream(self) -> str:
        """The name of the one stream, or of the first of several."""
        return STREAM if self.streams == 1 else f"{STREAM}0"

    @property
    def url(self) -> str:
        """Where players find it."""
        return self.server.url(self.settings, self.stream)

    @property
    def urls(self) -> str:
        """Where players find all streams in turn, as the load client reads it."""
        count = "" if self.streams == 1 else f"{{{self.streams}}}"
        return self.server.url(self.settings, STREAM + count)


@contextlib.contextmanager
def started(
    bench: Bench,
    server: Server,
    *,
    window_ms: int,
    players: int,
    streams: int = 1,
    threads: int = 1,
    workers: int = 1,
    cores: set[int] | None = None,
    pinned: bool = True,
    protocol: str = "flv",
    extra: str = "",
    vhost: str = "",
    warm: float = GOP_SECONDS,
) -> Iterator[Live]:
    """Start a server and its publisher; end both, and nothing else, at the end.

    *extra*, *vhost*: lines of the play block and of the vhost of fastflv or SRS. *warm*: seconds of publishing before it yields.
    """
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fanout-")))
        rtmp_port, http_port, api_port, https_port = free_ports(4)
        room = players + streams + bench.never_read + bench.slow + 100
        settings = Settings(
            rtmp_port,
            http_port,
            api_port,
            window_ms,
            room,
            bench.clip.path,
            threads,
            extra=extra,
            vhost=vhost,
            protocol=protocol,
            workers=workers,
            https_port=https_port,
            certificate=bench.certificate if protocol == "https" else None,
        )
        pin = (cores or bench.server_cores) if pinned else None
        process = Child(server.name, server.argv(settings, work), pin, work / "server.log")
        stack.enter_context(running(process))
        process.await_port(https_port if protocol == "https" else http_port)
        publisher = None
        if server.needs_publisher:
            process.await_port(rtmp_port)
            argv = [
                str(bench.programs["publisher"]),
                str(bench.clip.path),
                "127.0.0.1",
                str(rtmp_port),
                "live",
            ]
            publisher = Talker(
                "publisher",
                [*argv, STREAM, str(streams), str(bench.spread_ms)],
                bench.client_cores,
                work / "publisher.log",
            )
            stack.enter_context(running(publisher))
            if publisher.event("publishing", 30) is None:
                raise BenchError(f"{server.name} did not accept the publisher: {process.last_words()}")
        bench.progress.sleep(warm, "first GOP")
        process.check()
        yield Live(server, settings, process, publisher, work, streams)


@contextlib.contextmanager
def loaded(
    bench: Bench, live: Live, players: int, notes: list[str], url: str | None = None
) -> Iterator[Talker]:
    """Bring the players of all streams, or of *url*; go on with those that came, and note it, when not all do."""
    program = bench.programs["load-tls" if live.settings.protocol == "https" else "load"]
    command = [str(program), url or live.urls]
    counts = [
        str(players),
        str(bench.sample),
        str(bench.joins),
        "close" if bench.close else "keep",
        str(bench.nap_ms),
    ]
    load = Talker("load client", command + counts, bench.client_cores, live.work / "load.log")
    with running(load):
        bench.progress.say(f"{players} players join at {bench.joins:.0f} a second")
        if load.event("ready", players / bench.joins * 2 + 15) is None:
            load.send("status")
            status = load.event("status", 10) or {}
            notes.append(f"only {status.get('flowing', 0)} of {players} players had media in time")
        live.process.check()
        for lazy, share in ((bench.never_read, 0.0), (bench.slow, SLOW_SHARE)):
            if lazy:
                load.send(f"lazy {lazy} {bench.clip.bits_per_second / 8 * share:.0f}")
                load.event("lazy", 30)
        bench.progress.sleep(bench.settle, "settling")
        yield load


def take_delays(m: Measured, report: dict[str, Any], clip: Clip) -> None:
    """Copy what the load client measured; note what makes it doubtful."""
    crowd, probe = report["crowd"], report["probe"]
    m.p50, m.p99, m.worst = (probe["delay_ms"][k] for k in ("p50", "p99", "max"))
    m.read_p99 = probe["read_delay_ms"]["p99"]
    m.rate_min, m.rate_median = crowd["rate_min"], crowd["rate_median"]
    m.flowing = crowd["flowing"] + probe["players"] - probe["closed"] - probe["broken"]
    m.missing, m.broken = probe["missing"], probe["broken"]
    m.client_cpu = report["client_cpu_percent"]
    m.extra["receives_per_player_second"] = crowd["receives"] / max(crowd["flowing"], 1) / report["seconds"]
    if probe["tls"]:
        m.notes.append(probe["tls"])
    if probe["broken"]:
        m.notes.append(f"{probe['broken']} parsed players broke off: {probe['first_error']}")
    if probe["repeated"] or probe["unstamped"]:
        m.notes.append(f"{probe['repeated']} frames repeated, {probe['unstamped']} without a stamp")
    if crowd["gone"] or probe["closed"]:
        m.notes.append(f"{crowd['gone'] + probe['closed']} players were disconnected")
    if m.client_cpu > CLIENT_BOUND:
        m.notes.append(f"client-bound: the load client used {m.client_cpu:.0f} % of its core")


def steady(bench: Bench, live: Live, load: Talker | None, m: Measured, seconds: float | None = None) -> None:
    """Measure one window into `m`."""
    core = min(bench.server_cores)
    span = seconds or bench.seconds
    pid, pids = live.process.pid, live.pids
    if live.publisher:
        live.publisher.send("begin")
        live.publisher.event("published", 5)
    kernel = measure.softirq_thread(core) or pid
    start, busy_start, kernel_start = (
        measure.cpu_mark(*pids),
        measure.core_busy(core),
        measure.cpu_mark(kernel),
    )
    if load:
        load.send("begin")
    with measure.ResidentOverTime(pids) as resident:
        bench.progress.sleep(span, "measuring")
    live.process.check()
    end, busy_end, kernel_end = measure.cpu_mark(*pids), measure.core_busy(core), measure.cpu_mark(kernel)
    if load:
        load.send("end")
        report = load.event("measured", 15)
        if report is None:
            raise BenchError("the load client does not answer: its core is overloaded")
        take_delays(m, report, bench.clip)
    if live.publisher:
        live.publisher.send("end")
        published = live.publisher.event("published", 5) or {}
        m.publish_late = published.get("late_ms_max", 0.0)
    use = measure.cpu_between(start, end)
    m.cpu, m.threads = round(use.percent / len(pids), 2), use.threads
    m.rss, m.rss_peak = resident.mean // len(pids), resident.most // len(pids)
    m.pss = sum(measure.memory(each).pss for each in pids) // len(pids)
    whole = (busy_end[0] - busy_start[0]) * 100 / max(busy_end[1] - busy_start[1], 1)
    if kernel != pid:
        m.deferred = round(measure.cpu_between(kernel_start, kernel_end).percent, 1)
    m.other_busy = round(max(whole - use.percent, 0.0), 1)
    if bench.profiles:
        bench.progress.say("profiling")
        profile.record(pid, bench.profiles / f"profile-{m.scenario}-{m.server.replace(' ', '-')}.txt")


def fan_out(
    bench: Bench,
    scenario: str,
    server: Server,
    players: int,
    window_ms: int,
    label: str | None = None,
    **options: Any,
) -> Measured:
    """Start a server, publish, bring players, and measure one steady window; `label` is its name in the report."""
    m = Measured(scenario, label or server.name, players, window_ms)
    with started(bench, server, window_ms=window_ms, players=players, **options) as live:
        if players == 0:
            bench.progress.sleep(bench.settle, "settling")
            steady(bench, live, None, m)
        else:
            with loaded(bench, live, players, m.notes) as load:
                steady(bench, live, load, m)
    delay = f"delay p50 {m.p50:.1f} p99 {m.p99:.1f} ms, " if players else ""
    bench.progress.say(f"CPU {m.cpu:.1f} %, {delay}RSS {m.rss / 1024:.1f} MB")
    return m
