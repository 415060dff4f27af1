"""Memory over time as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from benchmarks.fanout.plot import COLOURS
from benchmarks.slow.run import Outcome


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write a PNG with one curve of RSS for each server; at 0 the slow players have come."""
    figure, axes = pyplot.subplots(figsize=(9, 4.5))
    for out in outcomes:
        times = [m.seconds / 60 for m in out.curve]
        colour = COLOURS.get(out.way.split()[0], "#444444")
        axes.plot(times, [m.rss_kib / 1024 for m in out.curve], color=colour, label=out.way)
    axes.axvline(0, color="black", linestyle="dotted", linewidth=1)
    plan = outcomes[0].plan
    axes.set_title(f"{plan.players:,} players; from 0 on {plan.slow} slow ones beside them", fontsize=10)
    axes.set_xlabel("minutes")
    axes.set_ylabel("RSS, MB")
    axes.set_ylim(0, 1.15 * max((m.rss_kib for out in outcomes for m in out.curve), default=1024) / 1024)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
