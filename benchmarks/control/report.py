"""The results as text and JSON, and whether they reach what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks.control.trial import QUIET, Trial
from benchmarks.fanout.goals import Goal
from benchmarks.joins.report import table

TURN_MS = 20.0
"The longest turn of the event loop that the API or the metrics may cause."
SCRAPE_MS = 20.0
"Time of the event loop for one scrape."
SCRAPE_MB = 2.0
HEADINGS = ("server", "asked for", "first ms", "longest ms", "each ms", "took ms", "KB")


def judge(trials: Sequence[Trial]) -> list[Goal]:
    """Judge this checkout by the medians of its rounds."""
    own = [trial for trial in trials if trial.label == "fastflv"]
    goals = []
    for path in dict.fromkeys(each.path for trial in own for each in trial.answers if each.path != QUIET):
        found = [each for trial in own for each in trial.answers if each.path == path]
        longest = median(max(each.first_ms, each.longest_ms) for each in found)
        goals.append(Goal(path, "longest turn", longest, TURN_MS, " ms"))
        if path == "/metrics":
            goals.append(Goal(path, "event loop", median(each.each_ms for each in found), SCRAPE_MS, " ms"))
            goals.append(Goal(path, "answer", max(each.size for each in found) / 1_000_000, SCRAPE_MB, " MB"))
    return goals


def text(trials: Sequence[Trial], goals: Sequence[Goal]) -> str:
    """Return a table, and a line for each goal."""
    rows = [
        (
            trial.label, each.path, f"{each.first_ms:.1f}", f"{each.longest_ms:.1f}", f"{each.each_ms:.1f}",
            f"{each.took_ms:.1f}", f"{each.size / 1000:.0f}",
        )
        for trial in trials
        for each in trial.answers
    ]  # fmt: skip
    return "\n".join([*table(HEADINGS, rows), "", *(goal.line() for goal in goals)])


def as_dict(trials: Sequence[Trial], goals: Sequence[Goal], machine: dict[str, str]) -> dict[str, Any]:
    """Return plain values for JSON."""
    return {
        "machine": machine,
        "trials": [trial.as_dict() for trial in trials],
        "goals": [goal.as_dict() for goal in goals],
    }
