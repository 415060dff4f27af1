"""The results as a picture: CPU, its ratio to that of another server, the delays, and memory."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from benchmarks.fanout.goals import of, ratio
from benchmarks.fanout.report import Results
from benchmarks.fanout.session import Measured

COLOURS = {
    "fastflv": "#1f6fb4",
    "floor": "#9a9a9a",
    "srs": "#d1662c",
    "zlm": "#3c9a5f",
    "nginx": "#8b62ad",
    "nms": "#b8a33a",
}
BASES = ("srs", "floor", "zlm")
"Whose CPU the others are compared with: the first that took part."

GROUP = 0.8  # width of a scenario's bars, of the distance between two scenarios


def _program(label: str) -> str:
    """Return the server's name without what its players speak or how many threads it has."""
    return label.split()[0]


def _middle(group: list[Measured], figure: str) -> float:
    return float(median(getattr(m, figure) for m in group))


def _bar(axes: Any, x: float, height: float, width: float, label: str, legend: str | None = None) -> None:
    axes.bar(x, height, width, color=COLOURS.get(_program(label), "#444444"), label=legend)
    what = label.removeprefix(_program(label)).strip()
    text = f"{what}\n{height:.3g}" if what else f"{height:.3g}"
    axes.annotate(text, (x, height), ha="center", va="bottom", fontsize=7)


def _goal_marks(axes: Any, results: Results, scenarios: list[str], base: str) -> None:
    """Draw the goal of each scenario's CPU ratio as a line over its group."""
    for goal in results.goals:
        if goal.what.startswith(f"CPU fastflv / {base}"):
            at = scenarios.index(goal.scenario)
            axes.hlines(goal.limit, at - GROUP / 2, at + GROUP / 2, color="black", linestyles="dotted")


def draw(results: Results, path: Path) -> None:
    """Write a PNG with one group of bars for each scenario, one bar for each server."""
    scenarios = list(dict.fromkeys(m.scenario for m in results.runs))
    programs = list(dict.fromkeys(_program(m.server) for m in results.runs))
    base = next((name for name in BASES if name in programs), "floor")
    size = (max(7.0, 1.6 * len(scenarios) + 2), 13)
    figure, panels = pyplot.subplots(4, 1, figsize=size, sharex=True)
    top, mid, low, room = panels
    labelled: set[str] = set()
    for at, scenario in enumerate(scenarios):
        runs = [m for m in results.runs if m.scenario == scenario]
        servers = list(dict.fromkeys(m.server for m in runs))
        width = GROUP / max(len(servers), len(programs))
        for place, server in enumerate(servers):
            group = of(runs, server)
            program = _program(server)
            x = at - width * len(servers) / 2 + width * (place + 0.5)
            legend = None if program in labelled else program
            _bar(top, x, _middle(group, "cpu"), width * 0.92, server, legend)
            labelled.add(program)
            _bar(room, x, _middle(group, "rss") / 1024, width * 0.92, server)
            if by_base := ratio(runs, server, server.replace(program, base, 1)):
                _bar(mid, x, by_base, width * 0.92, server)
            if _middle(group, "p50"):
                colour = COLOURS.get(program, "#444444")
                low.bar(x, _middle(group, "p99"), width * 0.92, color=colour, alpha=0.45)
                low.bar(x, _middle(group, "p50"), width * 0.92, color=colour)
    _goal_marks(mid, results, scenarios, base)
    top.set_ylabel("CPU, % of one core")
    top.legend(frameon=False, ncols=len(programs), loc="lower left", bbox_to_anchor=(0, 1))
    mid.set_ylabel(f"CPU, ratio to {base}; dotted: goal")
    low.set_ylabel("added delay, ms: p50 solid, p99 pale")
    low.set_yscale("symlog", linthresh=10)
    room.set_ylabel("memory, MiB")
    room.set_xticks(range(len(scenarios)), scenarios, rotation=20)
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
