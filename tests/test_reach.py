"""A server that is away: one of those who want it tries, the others wait, and nobody waits for one that has left."""

from __future__ import annotations

from model.loop import FakeLoop

from fastflv.cluster.reach import Reach

PLACE = "192.0.2.1", 1935


class Trier:
    def __init__(self) -> None:
        self.called = 0

    def retry(self) -> None:
        self.called += 1


def away(count: int) -> tuple[FakeLoop, Reach, list[Trier]]:
    """A server that *count* of them want; the first one tries."""
    loop = FakeLoop()
    reach, triers = Reach(loop), [Trier() for _ in range(count)]
    assert reach.may_try(PLACE, triers[0])
    assert reach.failed(PLACE, triers[0])
    assert not any(reach.may_try(PLACE, trier) for trier in triers[1:])
    return loop, reach, triers


def called(loop: FakeLoop, triers: list[Trier]) -> list[int]:
    loop.turn()
    return [trier.called for trier in triers]


def test_one_tries_and_all_others_do_when_it_has_connected():
    loop, reach, triers = away(3)
    assert reach.may_try(PLACE, triers[0]) and reach.may_try(("192.0.2.2", 1935), triers[1])
    assert called(loop, triers) == [0, 0, 0]
    reach.worked(PLACE)
    assert called(loop, triers) == [0, 1, 1] and len(reach) == 0
    assert reach.may_try(PLACE, triers[2])


def test_those_who_tried_at_the_same_moment_wait_too():
    loop, reach, triers = away(1)
    late = Trier()
    assert not reach.failed(PLACE, late)
    reach.worked(PLACE)
    assert called(loop, [*triers, late]) == [0, 1]


def test_another_one_tries_when_the_one_that_did_leaves():
    loop, reach, triers = away(3)
    reach.leave(PLACE, triers[1])
    reach.leave(PLACE, triers[0])
    assert called(loop, triers) == [0, 0, 1]
    assert reach.failed(PLACE, triers[2])
    reach.leave(PLACE, triers[2])
    assert len(reach) == 0
    reach.leave(PLACE, triers[2])
