"""Token buckets: so many requests a second, and so many at once, for each of a bounded number of keys."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import NamedTuple

from fastflv import limits


class Bucket(NamedTuple):
    """One key's tokens at one moment."""

    tokens: float
    at: float
    "Clock, seconds."


class Buckets:
    """Buckets by key. A key that is not in it has a full bucket; beyond LIMIT_KEYS_MAX the key asked for longest ago is dropped."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """*clock*: seconds, never going back."""
        self._clock = clock
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, key: Hashable, rate: float, burst: float) -> float:
        """Return the seconds until *key* has a token, 0 where it has one. *rate*: tokens a second; *burst*: of a full bucket."""
        return max(0.0, (1 - self._now(key, rate, burst).tokens) / rate)

    def take(self, key: Hashable, rate: float, burst: float) -> None:
        """Take a token, which is there."""
        bucket = self._now(key, rate, burst)
        self._buckets[key] = bucket._replace(tokens=bucket.tokens - 1)
        self._buckets.move_to_end(key)
        if len(self._buckets) > limits.LIMIT_KEYS_MAX:
            self._buckets.popitem(last=False)

    def _now(self, key: Hashable, rate: float, burst: float) -> Bucket:
        now, bucket = self._clock(), self._buckets.get(key)
        if bucket is None:
            return Bucket(burst, now)
        return Bucket(min(burst, bucket.tokens + (now - bucket.at) * rate), now)
