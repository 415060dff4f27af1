"""The results as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.fanout.goals import Goal
from benchmarks.joins.trial import Trial

HEADINGS = (
    "GOP s",
    "server",
    "output",
    "joins",
    "keyframe ms p50",
    "p99",
    "within 3 frames",
    "frames off p50",
    "max",
    "behind live ms p50",
    "p99",
    "buffered ms p50",
    "p99",
    "decoded",
    "by default mode",
    "more",
)
ABOUT = (
    "Each player joins at a random moment of the GOP, of 25 fps H.264 with two B-frames and AAC. *Keyframe*: from before connect() to the "
    "arrival of the first keyframe's last byte. *Within 3 frames*: joins whose newest frame, 500 ms after the request, was at most 3 behind the "
    "newest that the publisher had sent; *frames off*: how many it was behind. *Behind live*: newest decode time received minus the first "
    "picture's presentation time, minus the time since that picture arrived, looked at 2.5 s after it: what a player at 1x stays behind for good; "
    "*buffered*: the same with the newest presentation time, as a browser's buffer says it, the encoder's reordering (80 ms here) included. *Decoded*: "
    "captures that `ffmpeg -xerror -fps_mode passthrough` decoded without a word; *by default mode* without that flag."
)


@dataclass
class Results:
    """Everything that one call found."""

    machine: dict[str, str]
    versions: dict[str, str]
    command: str
    trials: list[Trial] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def fell_short(self) -> bool:
        """A run failed, or a goal was missed."""
        return bool(self.failures) or any(g.met is False for g in self.goals)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "machine": self.machine,
            "versions": self.versions,
            "command": self.command,
            "trials": [t.as_dict() for t in self.trials],
            "goals": [g.as_dict() for g in self.goals],
            "failures": self.failures,
        }


def rows(trials: Sequence[Trial]) -> list[tuple[str, ...]]:
    """Return one row of text for each trial."""
    found: list[tuple[str, ...]] = []
    for t in trials:
        files = t.decoded.files
        more = [f"{t.failed} joins failed: {t.error}"] if t.failed else []
        more += [f"ffmpeg: {t.decoded.complaint}"] if t.decoded.complaint else []
        found.append(
            (
                str(t.gop),
                t.way,
                t.protocol,
                str(t.joins),
                f"{t.keyframe_p50:.1f}",
                f"{t.keyframe_p99:.1f}",
                f"{t.near}/{t.joins}",
                f"{t.frames_p50:.0f}",
                f"{t.frames_max:.0f}",
                f"{t.live_p50:.0f}",
                f"{t.live_p99:.0f}",
                f"{t.buffered_p50:.0f}",
                f"{t.buffered_p99:.0f}",
                f"{t.decoded.passthrough}/{files}" if files else "-",
                f"{t.decoded.default}/{files}" if files else "-",
                "; ".join(more),
            )
        )
    return found


def text(results: Results) -> str:
    """Return a table and the goals for a terminal."""
    table = [HEADINGS, *rows(results.trials)]
    widths = [max(len(row[i]) for row in table) for i in range(len(HEADINGS) - 1)]
    lines = [
        "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in table
    ]
    return "\n".join(
        [*lines, "", *(g.line() for g in results.goals), *(f"failed: {f}" for f in results.failures)]
    )


def head(results: Results, title: str) -> list[str]:
    """Return the lines that every report of this package begins with."""
    return [
        f"# {title}",
        "",
        "; ".join(f"{k}: {v}" for k, v in results.machine.items()),
        "",
        "Servers: " + "; ".join(f"{k} {v}".strip() for k, v in results.versions.items()),
        "",
        "```",
        results.command,
        "```",
        "",
    ]


def table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table."""
    return [
        "| " + " | ".join(headings) + " |",
        "|" + "---|" * len(headings),
        *("| " + " | ".join(line) + " |" for line in lines),
    ]


def goal_table(goals: Sequence[Goal]) -> list[str]:
    """Return the goals as a Markdown table."""
    lines = []
    for g in goals:
        value = "-" if g.value is None else f"{g.value:.2f}{g.unit}"
        lines.append((g.scenario, g.what, value, f"<= {g.limit:g}{g.unit}", g.verdict))
    return table(("run", "figure", "value", "goal", ""), lines)


def markdown(results: Results) -> str:
    """Return the report file."""
    lines = [*head(results, "Joins"), ABOUT, "", *table(HEADINGS, rows(results.trials))]
    if results.goals:
        lines += ["", *goal_table(results.goals)]
    lines += ["", *(f"- failed: {f}" for f in results.failures)] if results.failures else []
    return "\n".join(lines) + "\n"


def write(results: Results, out: Path) -> None:
    """Write joins.md and joins.json."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "joins.md").write_text(markdown(results))
    (out / "joins.json").write_text(json.dumps(results.as_dict(), indent=1) + "\n")
