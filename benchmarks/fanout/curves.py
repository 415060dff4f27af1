"""Runs that differ in their number of players as a picture: CPU and delay over players."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from benchmarks.fanout.goals import of
from benchmarks.fanout.plot import COLOURS
from benchmarks.fanout.session import Measured

STYLES = ("-", "--")
"Of a server's first setting, and of its second."


def _over_players(runs: Sequence[Measured], label: str, figure: str) -> tuple[list[int], list[float]]:
    """Return the numbers of players of a row of the table, and the medians of its rounds at each."""
    counts = sorted({m.players for m in runs if m.server == label})
    found = [[m for m in runs if m.players == players] for players in counts]
    return counts, [median(getattr(m, figure) for m in of(group, label)) for group in found]


def _finish(axes: Any, what: str, counts: Sequence[int]) -> None:
    axes.set_ylabel(what)
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{n:,}" for n in counts])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)


def draw(runs: Sequence[Measured], path: Path) -> None:
    """Write a PNG with a curve for each server and setting: CPU above, delays (p50 drawn, p99 as dots) below."""
    labels = list(dict.fromkeys(m.server for m in runs))
    counts = sorted({m.players for m in runs})
    figure, (top, low) = pyplot.subplots(2, 1, figsize=(8, 8), sharex=True)
    for label in labels:
        program = label.split()[0]
        first = next(other for other in labels if other.split()[0] == program)
        style, colour = STYLES[label != first], COLOURS.get(program, "#444444")
        top.plot(*_over_players(runs, label, "cpu"), style, color=colour, marker="o", ms=3, label=label)
        if any(m.p50 for m in runs if m.server == label):
            low.plot(*_over_players(runs, label, "p50"), style, color=colour, marker="o", ms=3)
            low.plot(*_over_players(runs, label, "p99"), "x", color=colour, ms=6)
    top.legend(frameon=False, fontsize=8)
    _finish(top, "CPU, % of one core", counts)
    low.set_yscale("log")
    low.set_xlabel("players")
    _finish(low, "added delay, ms: p50 lines, p99 crosses", counts)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
