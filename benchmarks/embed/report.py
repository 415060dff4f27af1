"""The results as text and JSON, and whether they reach what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks.embed.held import HeldTrial
from benchmarks.embed.trial import Trial
from benchmarks.fanout.goals import Goal
from benchmarks.joins.report import table

STREAMS = 100
"For which CPU_PERCENT is asked."
CPU_PERCENT = 60.0
MOVED_MS = 5.0
"What callbacks that hold the loop may add to the p99 delay of players."

HELD_HEADINGS = (
    "program", "streams", "the loop is held by", "calm p50 ms", "p99", "worst", "held p50 ms", "p99", "worst", "callbacks",
    "missing",
)  # fmt: skip
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


def judge(trials: Sequence[Trial | HeldTrial]) -> list[Goal]:
    """Judge this checkout: the medians of CPU and delay, and the sum of what was lost."""
    goals = []
    ours = [t for t in trials if not t.label.startswith("before")]
    reading = [t for t in ours if isinstance(t, Trial) and t.readers]
    for label in dict.fromkeys(t.label for t in reading):
        found = [t for t in reading if t.label == label]
        name = f"async for over {found[0].readers} streams, {label}"
        if found[0].readers <= STREAMS:
            goals.append(Goal(name, "CPU", median(t.cpu for t in found), CPU_PERCENT, " %"))
        goals.append(Goal(name, "tags lost", sum(abs(t.lost) for t in found), 0))
        goals.append(Goal(name, "bytes lost", sum(abs(t.missing_bytes) for t in found), 0))
    held = [t for t in ours if isinstance(t, HeldTrial)]
    for label in dict.fromkeys(t.label for t in held):
        some = [t for t in held if t.label == label]
        name = f"the loop is held under {some[0].streams} streams, {label}"
        goals.append(Goal(name, "delay p99 moves by", median(t.moved for t in some), MOVED_MS, " ms"))
        goals.append(Goal(name, "frames missing", sum(t.missing for t in some), 0))
    return goals


def text(trials: Sequence[Trial | HeldTrial], goals: Sequence[Goal]) -> str:
    """Return the tables, and a line for each goal."""
    rows = [
        (
            t.label, str(t.streams), str(t.readers), f"{t.cpu:.1f}", f"{t.rss / 1024:.0f}", str(t.published),
            str(t.read), str(t.lost), str(t.jumps), f"{t.publish_late:.1f}",
        )
        for t in trials if isinstance(t, Trial)
    ]  # fmt: skip
    held = [
        (
            t.label, str(t.streams), t.hold, f"{t.calm_p50:.1f}", f"{t.calm_p99:.1f}", f"{t.calm_worst:.1f}",
            f"{t.p50:.1f}", f"{t.p99:.1f}", f"{t.worst:.1f}", str(t.holds), str(t.missing),
        )
        for t in trials if isinstance(t, HeldTrial)
    ]  # fmt: skip
    lines = table(HEADINGS, rows) if rows else []
    if held:
        lines += ["", *table(HELD_HEADINGS, held)]
    return "\n".join([*lines, "", *(goal.line() for goal in goals)])


def as_dict(
    trials: Sequence[Trial | HeldTrial], goals: Sequence[Goal], machine: dict[str, str]
) -> dict[str, Any]:
    """Return plain values for JSON."""
    return {
        "machine": machine,
        "trials": [t.as_dict() for t in trials],
        "goals": [g.as_dict() for g in goals],
    }
