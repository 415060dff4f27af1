"""The results as text and JSON, and whether they reach what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks.embed.trial import Trial
from benchmarks.fanout.goals import Goal
from benchmarks.joins.report import table

STREAMS = 100
"For which CPU_PERCENT is asked."
CPU_PERCENT = 60.0
HEADINGS = (
    "program",
    "streams",
    "read",
    "CPU %",
    "RSS MB",
    "tags published",
    "tags read",
    "lost",
    "jumps",
    "publisher late ms",
)


def judge(trials: Sequence[Trial]) -> list[Goal]:
    """Judge this checkout: the median of the CPU, and the sum of what was lost."""
    goals = []
    for label in dict.fromkeys(t.label for t in trials if t.readers and not t.label.startswith("before")):
        found = [t for t in trials if t.label == label]
        name = f"async for over {found[0].readers} streams, {label}"
        if found[0].readers <= STREAMS:
            goals.append(Goal(name, "CPU", median(t.cpu for t in found), CPU_PERCENT, " %"))
        goals.append(Goal(name, "tags lost", sum(abs(t.lost) for t in found), 0))
        goals.append(Goal(name, "bytes lost", sum(abs(t.missing_bytes) for t in found), 0))
    return goals


def text(trials: Sequence[Trial], goals: Sequence[Goal]) -> str:
    """Return a table, and a line for each goal."""
    rows = [
        (
            t.label, str(t.streams), str(t.readers), f"{t.cpu:.1f}", f"{t.rss / 1024:.0f}", str(t.published),
            str(t.read), str(t.lost), str(t.jumps), f"{t.publish_late:.1f}",
        )
        for t in trials
    ]  # fmt: skip
    return "\n".join([*table(HEADINGS, rows), "", *(goal.line() for goal in goals)])


def as_dict(trials: Sequence[Trial], goals: Sequence[Goal], machine: dict[str, str]) -> dict[str, Any]:
    """Return plain values for JSON."""
    return {
        "machine": machine,
        "trials": [t.as_dict() for t in trials],
        "goals": [g.as_dict() for g in goals],
    }
