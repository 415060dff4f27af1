"""Looks at low-water marks: one timer for all publishers, each looked at in its time."""

from __future__ import annotations

from collections import Counter

from model.loop import FakeLoop

from fastflv import limits
from fastflv.stream.gathering import Gatherings


class Look:
    """Counts the looks at it."""

    def __init__(self, loop: FakeLoop) -> None:
        self.loop = loop
        self.times: list[float] = []

    def look(self) -> None:
        self.times.append(self.loop.now)


def test_each_is_looked_at_at_once_and_then_in_its_period():
    loop = FakeLoop()
    gatherings = Gatherings(loop)
    looks = [Look(loop) for _ in range(10)]
    for each in looks:
        gatherings.add(each)
        loop.advance(0.007)
    loop.advance(20 * limits.LOW_WATER_SECONDS)
    for each in looks:
        gaps = [b - a for a, b in zip(each.times, each.times[1:], strict=False)]
        assert len(gaps) >= 19
        assert all(gap >= limits.LOW_WATER_SECONDS - limits.LOOK_STEP_SECONDS - 1e-6 for gap in gaps)
        assert all(gap <= limits.LOW_WATER_SECONDS + 1e-6 for gap in gaps)


def test_one_timer_serves_those_that_are_due_together():
    loop = FakeLoop()
    gatherings = Gatherings(loop)
    looks = [Look(loop) for _ in range(200)]
    for each in looks:
        gatherings.add(each)
        loop.advance(0.0005)
    loop.advance(4 * limits.LOW_WATER_SECONDS)
    assert len(loop.timers) == 1
    moments = Counter(time for each in looks for time in each.times[-2:])
    assert len(moments) <= 2 * (0.1 / limits.LOOK_STEP_SECONDS + 2)


def test_what_is_removed_is_looked_at_no_more_and_the_last_takes_the_timer_with_it():
    loop = FakeLoop()
    gatherings = Gatherings(loop)
    first, second = Look(loop), Look(loop)
    gatherings.add(first)
    gatherings.add(second)
    gatherings.remove(first)
    loop.advance(8 * limits.LOW_WATER_SECONDS)
    assert len(first.times) == 1
    assert len(second.times) > 5
    gatherings.remove(second)
    gatherings.remove(second)
    assert loop.timers == []
    gatherings.add(first)
    loop.advance(4 * limits.LOW_WATER_SECONDS)
    assert len(first.times) > 3


def test_those_that_are_removed_by_a_look_are_left_out():
    loop = FakeLoop()
    gatherings = Gatherings(loop)
    second = Look(loop)

    class Remover(Look):
        def look(self) -> None:
            super().look()
            if len(self.times) > 1:
                gatherings.remove(second)
                gatherings.remove(self)

    first = Remover(loop)
    gatherings.add(first)
    gatherings.add(second)
    loop.advance(4 * limits.LOW_WATER_SECONDS)
    assert (len(first.times), len(second.times)) == (2, 1)
    assert loop.timers == []
