"""The results as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.fanout.goals import Goal, of, ratio
from benchmarks.fanout.session import Measured
from benchmarks.fanout.settings import window_text

HEADINGS = (
    "scenario",
    "server",
    "players",
    "window ms",
    "CPU %",
    "x floor",
    "p50 ms",
    "p99 ms",
    "max ms",
    "RSS MB",
    "kbit/s",
    "more",
)
NOISY = 5.0  # percent of the server's core that others may use before the report says so
BREATHES = 1.02  # memory that rises this much above its mean is told with its peak
DEFERRED = 2.0  # likewise for ksoftirqd
EXTRAS = {
    "first_keyframe_p99": "first keyframe p99 {:.1f} ms",
    "first_keyframe_p50": "p50 {:.1f} ms",
    "calm_p99": "calm p99 {:.1f} ms",
    "storm_cpu": "CPU {:.1f} % while they joined",
    "kb_per_player": "{:.1f} KB a player",
    "kb_per_idle_player": "{:.1f} KB if never reading",
    "imbalance": "threads differ by {:.1f} %",
    "publishers": "{:.0f} publishers",
}


@dataclass
class Results:
    """Everything that one call of the harness found."""

    machine: dict[str, str]
    versions: dict[str, str]
    command: str
    clip_bits_per_second: float
    seconds: float
    rounds: int
    runs: list[Measured] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "machine": self.machine,
            "versions": self.versions,
            "command": self.command,
            "clip_bits_per_second": self.clip_bits_per_second,
            "seconds": self.seconds,
            "rounds": self.rounds,
            "runs": [m.as_dict() for m in self.runs],
            "goals": [g.as_dict() for g in self.goals],
            "failures": self.failures,
        }


def _number(values: list[float], digits: int = 1) -> str:
    """Return the median, with the span when rounds differ."""
    text = f"{median(values):.{digits}f}"
    low, high = min(values), max(values)
    return (
        text
        if f"{low:.{digits}f}" == f"{high:.{digits}f}"
        else f"{text} ({low:.{digits}f}-{high:.{digits}f})"
    )


def rows(runs: Sequence[Measured]) -> list[tuple[str, ...]]:
    """Return one row of text for each scenario and server: medians over the rounds."""
    found: list[tuple[str, ...]] = []
    keys = dict.fromkeys((m.scenario, m.server) for m in runs)
    for scenario, server in keys:
        group = of([m for m in runs if m.scenario == scenario], server)
        first = group[0]
        by_floor = ratio([m for m in runs if m.scenario == scenario], server, "floor")
        timed = any(m.p50 for m in group)
        more = [
            text.format(median(m.extra[key] for m in group))
            for key, text in EXTRAS.items()
            if all(key in m.extra for m in group)
        ]
        more += dict.fromkeys(note for m in group for note in m.notes)
        if (noise := max(m.other_busy for m in group)) > NOISY:
            more.append(f"others used up to {noise:.0f} % of the core")
        if (deferred := max(m.deferred for m in group)) > DEFERRED:
            more.append(f"up to {deferred:.0f} % more in ksoftirqd")
        peak, mean = median(m.rss_peak for m in group), median(m.rss for m in group)
        if peak > mean * BREATHES:
            more.append(f"RSS up to {peak / 1024:.1f} MB")
        if sum(m.missing for m in group):
            more.append(f"{sum(m.missing for m in group)} frames missing")
        found.append(
            (
                scenario,
                server,
                str(first.players),
                window_text(first.window_ms),
                _number([m.cpu for m in group]),
                f"{by_floor:.2f}" if by_floor else "-",
                _number([m.p50 for m in group]) if timed else "-",
                _number([m.p99 for m in group]) if timed else "-",
                f"{max(m.worst for m in group):.0f}" if timed else "-",
                f"{median(m.rss for m in group) / 1024:.1f}",
                f"{median(m.rate_median for m in group) / 1000:.0f}" if first.rate_median else "-",
                "; ".join(more),
            )
        )
    return found


def text(results: Results) -> str:
    """Return a table and the goals for a terminal."""
    table = [HEADINGS, *rows(results.runs)]
    widths = [max(len(row[i]) for row in table) for i in range(len(HEADINGS) - 1)]
    lines = [
        "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in table
    ]
    lines += ["", *(g.line() for g in results.goals), *(f"failed: {f}" for f in results.failures)]
    return "\n".join(lines)


def markdown(results: Results) -> str:
    """Return the report file."""
    lines = ["# Fan-out results", ""]
    lines += ["; ".join(f"{k}: {v}" for k, v in results.machine.items()), ""]
    lines += ["Servers: " + "; ".join(f"{k} {v}".strip() for k, v in results.versions.items()), ""]
    lines += [
        f"One publisher of {results.clip_bits_per_second / 1000:.0f} kbit/s, 25 fps, GOP 2 s; steady window "
        f"{results.seconds:g} s; {results.rounds} round(s), servers in turn within a round, medians shown with the span "
        "of the rounds. The server is alone on its core but where a scenario says otherwise; publisher and players share "
        "another. CPU is in percent of one core. Delay is from the publisher's write of a frame to its arrival at the "
        "player's socket.",
        "",
        "```",
        results.command,
        "```",
        "",
        "| " + " | ".join(HEADINGS) + " |",
        "|" + "---|" * len(HEADINGS),
    ]
    lines += ["| " + " | ".join(row) + " |" for row in rows(results.runs)]
    if results.goals:
        lines += ["", "| scenario | figure | value | goal | |", "|---|---|---|---|---|"]
        for g in results.goals:
            value = "-" if g.value is None else f"{g.value:.2f}{g.unit}"
            lines.append(f"| {g.scenario} | {g.what} | {value} | <= {g.limit:g}{g.unit} | {g.verdict} |")
    if results.failures:
        lines += ["", *(f"- failed: {f}" for f in results.failures)]
    return "\n".join(lines) + "\n"


def write(results: Results, out: Path) -> list[Path]:
    """Write results.md and results.json; where matplotlib is there results.png, of `auto` scenarios players.png."""
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / "results.md", out / "results.json"]
    paths[0].write_text(markdown(results))
    paths[1].write_text(json.dumps(results.as_dict(), indent=1) + "\n")
    try:
        from benchmarks.fanout import curves, plot
    except ImportError:
        return paths
    by_load = [m for m in results.runs if m.scenario.startswith("auto")]
    if len({m.players for m in by_load}) > 1:
        paths.append(out / "players.png")
        curves.draw(by_load, paths[-1])
    if len(by_load) < len(results.runs):
        paths.append(out / "results.png")
        plot.draw(results, paths[-1])
    return paths
