"""Bit rates without a timer: two samples are enough, taken when somebody asks."""

from __future__ import annotations

from collections.abc import Hashable

from fastflv import limits


class Rates:
    """Average kbit/s over about the last 30 s of any counter, keyed by what it belongs to.

    A sample is kept at the first asking and moved on every 30 s; before that the average runs from
    the start of the counter. Keys not asked for in ten minutes are forgotten.
    """

    def __init__(self) -> None:
        self._samples: dict[Hashable, tuple[float, int, float, int, float]] = {}

    def kbps(self, key: Hashable, count: int, since: float, now: float) -> int:
        """*count* bytes by *now*; the counter began with 0 at *since* (monotonic seconds)."""
        old_at, old, mid_at, mid, _ = self._samples.get(key, (since, 0, since, 0, now))
        if now - mid_at >= limits.RATE_SECONDS:
            old_at, old, mid_at, mid = mid_at, mid, now, count
        self._samples[key] = (old_at, old, mid_at, mid, now)
        if len(self._samples) > limits.RATE_KEYS_MAX:
            self._forget(now)
        passed = now - old_at
        return round(8 * (count - old) / 1000 / passed) if passed > 0 else 0

    def _forget(self, now: float) -> None:
        recent = {key: row for key, row in self._samples.items() if now - row[4] < 600}
        self._samples = recent if len(recent) <= limits.RATE_KEYS_MAX else {}
