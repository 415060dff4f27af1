"""One server: its players alone, then with slow ones beside them."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.processes import Talker
from benchmarks.fanout.session import SLOW_SHARE, Bench, Live, Measured, loaded, started, steady
from benchmarks.joins.decode import Decoded, decode
from benchmarks.joins.trial import Way
from benchmarks.slow import watch
from benchmarks.slow.figures import Memory, Steps, growth, read_frames, steps


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks for."""

    players: int
    slow: int
    "Half of them read at a share of the bit rate, the others never."

    kept: int
    "Of the slow ones: what they got is kept and decoded."

    minutes: float
    baseline: float
    "Seconds of the run without slow players."

    protocol: str


@dataclass
class Outcome:
    """The figures of one server. Delays in ms, memory in KiB."""

    way: str
    plan: Plan
    without: Measured
    beside: Measured
    curve: list[Memory] = field(default_factory=list)
    steps: list[Steps] = field(default_factory=list)
    "Of the kept players."

    decoded: Decoded = field(default_factory=Decoded)
    told: dict[str, float] = field(default_factory=dict)
    "By the server's list of clients, at the end."

    left: dict[str, int] = field(default_factory=dict)
    "Why players left, by the server's log, and what its lines count."

    gone: int = 0
    "Slow players that the server closed."

    broken: int = 0
    "Kept players that saw a broken rule."

    @property
    def growth(self) -> float | None:
        """Percent by which memory grew in the last two thirds of the time."""
        return growth(self.curve)

    @property
    def ratio(self) -> float | None:
        """The others' p99 delay by that of the run without."""
        return self.beside.p99 / self.without.p99 if self.without.p99 and self.beside.p99 else None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "growth_percent": self.growth, "p99_ratio": self.ratio}


@contextlib.contextmanager
def memory_of(live: Live) -> Iterator[watch.MemoryCurve]:
    """Look at a server's memory all the while."""
    curve = watch.MemoryCurve(live.process.pid)
    curve.start()
    try:
        yield curve
    finally:
        curve.stop()


def bring(bench: Bench, load: Talker, plan: Plan, folder: Path) -> None:
    """Let the slow players come."""
    rate = bench.clip.bits_per_second / 8 * SLOW_SHARE
    half = plan.slow // 2
    for count, speed, kept in ((half, rate, plan.kept), (plan.slow - half, 0.0, 0)):
        bench.progress.say(f"{count} players that read at {speed / 1000:.0f} KB/s")
        load.send(f"lazy {count} {speed:.0f} {kept} {folder}")
        said = load.event("lazy", 60)
        if said is None or said["failed"]:
            raise BenchError(f"slow players could not join: {said}")


def measure(bench: Bench, way: Way, plan: Plan, keep: Path | None) -> Outcome:
    """Measure the players alone, then for minutes with slow ones beside them."""
    label = f"{way.label} {plan.protocol}"
    out = Outcome(
        way.label,
        plan,
        Measured("without slow players", label, plan.players, way.window_ms),
        Measured("beside slow players", label, plan.players, way.window_ms),
    )
    with tempfile.TemporaryDirectory(prefix="slow-") as temporary:
        folder = Path(temporary) if keep is None else keep
        folder.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {"window_ms": way.window_ms, "extra": way.extra, "protocol": plan.protocol}
        room = plan.players + plan.slow
        with started(bench, way.server, players=room, **options) as live, memory_of(live) as curve:
            with loaded(bench, live, plan.players, out.beside.notes) as load:
                steady(bench, live, load, out.without, plan.baseline)
                bench.progress.say(f"p99 {out.without.p99:.1f} ms without slow players")
                before = {row["id"] for row in watch.clients(live.settings.api_port)}
                bring(bench, load, plan, folder)
                curve.mark()
                steady(bench, live, load, out.beside, 60 * plan.minutes)
                out.told = watch.told(watch.clients(live.settings.api_port), before)
                load.send("lazies")
                said = load.event("lazies", 10) or {}
                out.gone, out.broken = said.get("gone", 0), said.get("broken", 0)
                out.curve = curve.stop()
            why, sums = watch.farewells(live.work / "server.log")
            out.left = {**why, **{f"{what} in all": n for what, n in sums.items()}}
        found = sorted(folder.glob("slow-*.frames"))
        out.steps = [steps(read_frames(path.read_text())) for path in found]
        bench.progress.say("decoding")
        out.decoded = decode(p for p in folder.glob("slow-*") if p.suffix in (".flv", ".ts"))
    return out
