"""The limit of connections: places taken, released, refused, and a limit that changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastflv.net.connectionlimit import ConnectionLimit


def test_a_limit_has_as_many_places_as_it_says():
    limit = ConnectionLimit(2)
    assert [limit.take(), limit.take(), limit.take()] == [True, True, False]
    limit.release()
    assert limit.take()
    assert (limit.taken, limit.total, limit.refused) == (2, 3, 1)


def test_connections_above_a_lower_limit_stay_and_no_other_is_taken_until_they_leave():
    limit = ConnectionLimit(3)
    assert all(limit.take() for _ in range(3))
    limit.limit = 1
    for left in (2, 1):
        assert not limit.take()
        limit.release()
        assert limit.taken == left
    assert not limit.take()
    limit.release()
    assert limit.take()


def test_a_higher_limit_counts_at_once():
    limit = ConnectionLimit(1)
    assert (limit.take(), limit.take()) == (True, False)
    limit.limit = 2
    assert (limit.take(), limit.take()) == (True, False)


def test_places_above_the_limit_are_kept_for_those_who_may_take_them():
    limit = ConnectionLimit(2)
    assert [limit.take(), limit.take(), limit.take()] == [True, True, False]
    assert [limit.take(2), limit.take(2), limit.take(2)] == [True, True, False]
    for _ in range(2):
        limit.release()
        assert not limit.take()
    limit.release()
    assert limit.take()


def test_a_limit_of_0_takes_nobody():
    limit = ConnectionLimit(0)
    assert not limit.take()
    assert (limit.taken, limit.total, limit.refused) == (0, 0, 1)


@given(st.integers(0, 5), st.lists(st.one_of(st.sampled_from(["take", "release"]), st.integers(0, 5))))
def test_the_counts_are_those_of_a_list_of_connections(first, steps):
    limit, most = ConnectionLimit(first), first
    places: list[int] = []
    taken = refused = 0
    for step in steps:
        if isinstance(step, int):
            limit.limit = most = step
        elif step == "take":
            fits = len(places) < most
            assert limit.take() is fits
            if fits:
                taken += 1
                places.append(taken)
            else:
                refused += 1
        elif places:
            limit.release()
            places.pop()
        assert (limit.taken, limit.total, limit.refused) == (len(places), taken, refused)


@given(st.lists(st.tuples(st.sampled_from(["192.0.2.1", "2001:db8::1", "2001:db8::2", ""]), st.booleans())))
def test_connections_of_an_address_are_those_of_its_network(steps):
    limit = ConnectionLimit(100)
    limit.each = 2
    places: list[str] = []
    for address, comes in steps:
        of_it = [each for each in places if each[:6] == address[:6]]
        if comes:
            assert limit.is_crowded(address) == (bool(address) and len(of_it) >= 2)
            assert limit.take(address=address)
            places.append(address)
        elif address in places:
            places.remove(address)
            limit.release(address)
    assert limit.taken == len(places)
    limit.each = 0
    assert not limit.is_crowded("192.0.2.1")
