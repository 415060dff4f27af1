"""What the frames of a join say: how soon it had a picture, and how far from live it was. Pure arithmetic."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

NS_PER_MS = 1_000_000
LOOK_MS = 500.0  # after the request: which frame is the newest that has come?
SETTLED_MS = 2500.0  # after the first frame: what does a player at 1x stay behind?


class Frame(NamedTuple):
    """One video frame as it came."""

    number: int
    "As the publisher counted."

    stamp_ns: int
    "When the publisher wrote it, CLOCK_MONOTONIC; 0 without a stamp."

    key: int
    dts_ms: float
    pts_ms: float
    arrived_ns: int
    "When its last byte came to the socket, CLOCK_MONOTONIC."


@dataclass(frozen=True, slots=True)
class Join:
    """One player from its request to its end."""

    number: int
    start_ns: int
    "Before connect(), CLOCK_MONOTONIC."

    error: str
    frames: list[Frame]

    @classmethod
    def of(cls, told: dict[str, Any]) -> Join:
        """Read what the load client wrote of it."""
        return cls(told["join"], told["start_ns"], told["error"], [Frame(*f) for f in told["frames"]])


class Sent:
    """When the publisher sent each frame."""

    def __init__(self, joins: Iterable[Join]) -> None:
        """Any frame that anybody received says when it was sent."""
        stamps = {f.number: f.stamp_ns for j in joins for f in j.frames if f.stamp_ns}
        self._numbers = sorted(stamps)
        self._times = [stamps[n] for n in self._numbers]

    def newest(self, at_ns: int) -> int | None:
        """Number of the newest frame sent by then; None when none was."""
        found = bisect_right(self._times, at_ns)
        return self._numbers[found - 1] if found else None


def first_keyframe_ms(join: Join) -> float | None:
    """From before connect() to the last byte of the first keyframe; None when none came."""
    for frame in join.frames:
        if frame.key:
            return (frame.arrived_ns - join.start_ns) / NS_PER_MS
    return None


def frames_behind(join: Join, sent: Sent, after_ms: float = LOOK_MS) -> int | None:
    """Publisher's newest frame minus the newest that has come, that long after the request; None when none has."""
    at_ns = join.start_ns + int(after_ms * NS_PER_MS)
    came = [f.number for f in join.frames if f.stamp_ns and f.arrived_ns <= at_ns]
    newest = sent.newest(at_ns)
    return None if newest is None or not came else max(0, newest - max(came))


class Behind(NamedTuple):
    """Media time received minus wall time, both since the first frame, ms: what a player at 1x is behind for good."""

    shown: float
    "Newest decode time minus the first presentation time: up to there all pictures have come."

    buffered: float
    "Newest presentation time minus the first: what a browser's buffer says, the encoder's reordering included."


def behind_live(join: Join, after_ms: float = SETTLED_MS) -> Behind | None:
    """Look that long after the first frame; None when less has been received."""
    if not join.frames:
        return None
    first = join.frames[0]
    at_ns = first.arrived_ns + int(after_ms * NS_PER_MS)
    if join.frames[-1].arrived_ns < at_ns:
        return None
    came = [f for f in join.frames if f.arrived_ns <= at_ns]
    newest = max(f.dts_ms for f in came), max(f.pts_ms for f in came)
    return Behind(newest[0] - first.pts_ms - after_ms, newest[1] - first.pts_ms - after_ms)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that *share* of all do not exceed (nearest rank); NaN of nothing."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else math.nan
