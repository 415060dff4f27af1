"""Counting how long things take, in a bounded number of numbers."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from fastflv import limits


class Counts(NamedTuple):
    """What a histogram had counted at one moment."""

    counts: tuple[int, ...]
    "By DELAY_BOUNDS_MS; the last is of what is above all of them."

    sum_ms: float


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

    def now(self) -> Counts:
        """Return what is counted now."""
        return Counts(tuple(self.counts), self.sum_ms)


class Delays:
    """The delays of a server: of all its streams and players, and of whom it asks."""

    def __init__(self) -> None:
        self.ingest = Histogram()
        "From the read that completed a keyframe to its place in the log, one for each GOP of streams that have a clock."

        self.origin = Histogram()
        "From the server that took a stream in first to the log of this one, one for each GOP of streams that bring a clock."

        self.first_byte = Histogram()
        "From a player's request to its first byte."

        self.first_key = Histogram()
        "From a player's request to its first keyframe."

        self.hook = Histogram()
        "From the call of a hook to its answer, or to the time-out."

        self.lag = Histogram()
        "Age of the oldest media that a player's peer has not got, one for each player and look at the metrics."

    def now(self) -> dict[str, Counts]:
        """Return what is counted now, by the name of the delay."""
        return {name: histogram.now() for name, histogram in vars(self).items()}
