"""Counting how long things take, in a bounded number of numbers."""

from __future__ import annotations

from bisect import bisect_left

from fastflv import limits


class Histogram:
    """Counts of durations by upper bounds, DELAY_BOUNDS_MS; the last count is of what is above all of them."""

    __slots__ = ("counts", "sum_ms")

    def __init__(self) -> None:
        self.counts = [0] * (len(limits.DELAY_BOUNDS_MS) + 1)
        self.sum_ms = 0.0

    def observe(self, ms: float) -> None:
        """Count one duration, ms, 0 or more."""
        self.counts[bisect_left(limits.DELAY_BOUNDS_MS, ms)] += 1
        self.sum_ms += ms

    @property
    def count(self) -> int:
        return sum(self.counts)


class Delays:
    """The delays of all streams of a server, one of each a group of pictures."""

    def __init__(self) -> None:
        self.ingest = Histogram()
        "From the read that completed a keyframe to its place in the log."

        self.origin = Histogram()
        "From the server that took a stream in first to the log of this one; streams that bring a clock."
