"""What is asked of a server with slow players, and the results as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fanout.goals import Goal
from benchmarks.joins.report import Results, goal_table, head, table
from benchmarks.slow.run import Outcome

GROWTH = 3.0  # percent: what an allocator does
DELAY_RATIO = 1.1
HEADINGS = (
    "server", "players", "slow", "p99 ms without", "p99 ms beside", "ratio", "missing", "RSS MB before", "at a third", "at the end", "growth %",
    "CPU % without", "beside", "decoded", "jumps of each", "thinned", "lag s of them", "more",
)  # fmt: skip
ABOUT = (
    "The slow ones come when the players have been measured without them; half read at 30 % of the bit rate, half never. *RSS* is the median of a "
    "tenth of the time that they are there. *Decoded*, *jumps* (gaps that a keyframe follows), *thinned* (gaps that another frame follows) and "
    "*lag* (from the publisher's write to the player's read, median and worst) are of the slow readers that were kept."
)


def judge(outcomes: Sequence[Outcome]) -> list[Goal]:
    """Judge what fastflv did."""
    found = []
    for out in (o for o in outcomes if o.way.startswith("fastflv")):
        plan = out.plan
        name = f"{plan.players} and {plan.slow} slow, {out.way} {plan.protocol}"
        found += [
            Goal(name, "RSS growth over the last two thirds", out.growth, GROWTH, " %"),
            Goal(name, "others' delay p99 beside / without", out.ratio, DELAY_RATIO),
            Goal(name, "others' frames missing", out.beside.missing, 0),
            Goal(name, "slow players' captures not decoded", out.decoded.files - out.decoded.passthrough, 0),
            Goal(name, "slow players that saw a broken rule", out.broken, 0),
        ]
    return found


def row(out: Outcome) -> tuple[str, ...]:
    """Return an outcome's line of the table."""
    before = [m.rss_kib for m in out.curve if m.seconds < 0]
    total = max((m.seconds for m in out.curve), default=0.0)
    third = [m.rss_kib for m in out.curve if m.seconds >= total / 3]
    more = [f"{out.gone} slow players closed"] if out.gone else []
    more += [f"list of clients: {what} {n:g}" for what, n in out.told.items()]
    more += [f"log: {n} x {what}" for what, n in out.left.items()]
    more += [f"ffmpeg: {out.decoded.complaint}"] if out.decoded.complaint else []
    more += dict.fromkeys([*out.without.notes, *out.beside.notes])

    def megabytes(values: list[int], at: int) -> str:
        return f"{values[at] / 1024:.1f}" if values else "-"

    def span(values: list[int]) -> str:
        return f"{min(values)}-{max(values)}" if values else "-"

    lags = [(s.lag_p50 / 1000, s.lag_max / 1000) for s in out.steps]
    return (
        f"{out.way} {out.plan.protocol}",
        str(out.plan.players),
        str(out.plan.slow),
        f"{out.without.p99:.1f}",
        f"{out.beside.p99:.1f}",
        "-" if out.ratio is None else f"{out.ratio:.2f}",
        str(out.beside.missing),
        megabytes(before, -1),
        megabytes(third, 0),
        megabytes(third, -1),
        "-" if out.growth is None else f"{out.growth:.1f}",
        f"{out.without.cpu:.1f}",
        f"{out.beside.cpu:.1f}",
        f"{out.decoded.passthrough}/{out.decoded.files}",
        span([s.jumps for s in out.steps]),
        span([s.thinned for s in out.steps]),
        f"{max(a for a, _ in lags):.1f}, {max(b for _, b in lags):.1f}" if lags else "-",
        "; ".join(more),
    )


def text(outcomes: Sequence[Outcome], results: Results) -> str:
    """Return one line for each figure of each server, and the goals."""
    lines = []
    for out in outcomes:
        lines += [f"{name:16} {value}" for name, value in zip(HEADINGS, row(out), strict=True)] + [""]
    return "\n".join(
        [*lines, *(g.line() for g in results.goals), *(f"failed: {f}" for f in results.failures)]
    )


def write(outcomes: Sequence[Outcome], results: Results, out: Path) -> None:
    """Write slow.md, slow.json and, where matplotlib is there, slow.png."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [*head(results, "Slow players"), ABOUT, "", *table(HEADINGS, [row(o) for o in outcomes])]
    lines += ["", *goal_table(results.goals)] if results.goals else []
    lines += ["", *(f"- failed: {f}" for f in results.failures)] if results.failures else []
    (out / "slow.md").write_text("\n".join(lines) + "\n")
    (out / "slow.json").write_text(json.dumps(as_dict(outcomes, results), indent=1) + "\n")
    try:
        from benchmarks.slow import plot
    except ImportError:
        return
    plot.draw(outcomes, out / "slow.png")


def as_dict(outcomes: Sequence[Outcome], results: Results) -> dict[str, object]:
    """Return plain values for JSON."""
    return {**results.as_dict(), "trials": [o.as_dict() for o in outcomes]}
