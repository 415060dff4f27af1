"""Is memory flat, and what did a slow player get? Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from benchmarks.joins.figures import NS_PER_MS, Frame, percentile

EARLY, LATE = (0.3, 0.4), (0.9, 1.0)  # shares of the time that are compared: before, queues may still fill up


class Memory(NamedTuple):
    """One look at the server."""

    seconds: float
    "Since the slow players came; negative before."

    rss_kib: int
    pss_kib: int


def _within(samples: Sequence[Memory], span: tuple[float, float], total: float) -> list[int]:
    low, high = (share * total for share in span)
    return [s.rss_kib for s in samples if low <= s.seconds <= high]


def growth(samples: Sequence[Memory]) -> float | None:
    """By how many percent memory of the last tenth is above that at a third of the time; None when nothing was seen then."""
    total = max((s.seconds for s in samples), default=0.0)
    early, late = (_within(samples, span, total) for span in (EARLY, LATE))
    if total <= 0 or not early or not late:
        return None
    return 100 * (median(late) / median(early) - 1)


class Steps(NamedTuple):
    """What a slow player was spared."""

    frames: int
    "That it got."

    missing: int
    "That it did not get, between its first and its last."

    thinned: int
    "Gaps that a frame follows that is no keyframe: disposable frames left out."

    jumps: int
    "Gaps that a keyframe follows."

    lag_p50: float
    "From the publisher's write to the player's read, ms."

    lag_max: float


def steps(frames: Sequence[Frame]) -> Steps:
    """Read the gaps of one player's frames."""
    gaps = [(b, b.number - a.number - 1) for a, b in pairwise(frames) if b.number > a.number + 1]
    lags = [(f.arrived_ns - f.stamp_ns) / NS_PER_MS for f in frames if f.stamp_ns]
    return Steps(
        len(frames),
        sum(n for _, n in gaps),
        sum(not f.key for f, _ in gaps),
        sum(bool(f.key) for f, _ in gaps),
        percentile(lags, 0.5),
        percentile(lags, 1),
    )


def read_frames(text: str) -> list[Frame]:
    """Read what the load client wrote of one player; a last line that was cut is left out."""
    rows = [line.split() for line in text.split("\n")[:-1]]
    return [Frame(int(a), int(b), int(c), float(d), float(e), int(f)) for a, b, c, d, e, f in rows]
