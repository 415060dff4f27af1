"""A publisher's clock as it should be, and what its encoder makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

AUDIO, VIDEO = 0, 1


class Frame(NamedTuple):
    track: int
    time: int
    """True time, ms, from 0."""


@dataclass
class Encoder:
    """Puts true times into the timestamp field: from any start, with 24 or 32 bits, and with jumps per track."""

    start: int = 0
    bits: int = 32
    jumps: dict[int, int] = field(default_factory=lambda: {AUDIO: 0, VIDEO: 0})

    def raw(self, frame: Frame) -> int:
        return (frame.time + self.start + self.jumps[frame.track]) % 2**self.bits


def steady(duration_ms: int, *, audio_ms: int = 23, video_ms: int = 40, first: int = AUDIO) -> list[Frame]:
    """Audio and video in the order of time, the track *first* first."""
    frames = [Frame(AUDIO, time) for time in range(0, duration_ms, audio_ms)] if audio_ms else []
    frames += [Frame(VIDEO, time) for time in range(0, duration_ms, video_ms)] if video_ms else []
    return sorted(frames, key=lambda frame: (frame.time, frame.track != first))


def steps(times: list[int]) -> list[int]:
    return [b - a for a, b in pairwise(times)]
