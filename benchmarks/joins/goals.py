"""What is asked of a start at the live edge."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.fanout.goals import Goal
from benchmarks.joins.trial import NEAR, Trial

KEYFRAME_MS = 50.0
FAR_SHARE = 1.0  # percent of joins that may be further than that from live
BEHIND_MS = 250.0


def judge(trials: Sequence[Trial], way: str) -> list[Goal]:
    """Judge the trials of one way of starting."""
    found = []
    for t in (t for t in trials if t.way == way):
        name = f"GOP {t.gop} s {t.way} {t.protocol}"
        far = 100 * (t.joins - t.near) / max(t.joins, 1)
        found += [
            Goal(name, "joins failed", t.failed, 0),
            Goal(name, "first keyframe p99", t.keyframe_p99, KEYFRAME_MS, " ms"),
            Goal(name, f"joins more than {NEAR} frames off after 500 ms", far, FAR_SHARE, " %"),
            Goal(name, "behind live p99", t.live_p99, BEHIND_MS, " ms"),
        ]
        if t.decoded.files:
            found.append(Goal(name, "captures not decoded", t.decoded.files - t.decoded.passthrough, 0))
    return found
