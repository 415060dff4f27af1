"""The segments that wait for a slow disk: bounded for each stream, more closely where those of all streams are many."""

from __future__ import annotations

import pytest

from fastflv import limits
from fastflv.containers.segmenter import Segment
from fastflv.servers.hls.backlog import Backlog, Backlogs


@pytest.fixture(autouse=True)
def bounds(monkeypatch):
    monkeypatch.setattr(limits, "HLS_WAITING_BYTES", 10)
    monkeypatch.setattr(limits, "HLS_SERVER_WAITING_BYTES", 100)


def segment(size: int) -> Segment:
    return Segment(0, 10 * size, bytes(size), b"", True, False)


def test_one_stream_may_hold_what_all_together_may_and_a_little_where_others_do():
    shared = Backlogs()
    first, second = Backlog(shared), Backlog(shared)
    first.put([segment(60), segment(40)], 2)
    assert not first.is_behind
    second.put([segment(10)], 2)
    assert first.is_behind and not second.is_behind
    second.put([segment(1)], 2)
    assert second.is_behind
    first.take()
    assert not first.is_behind and not second.is_behind


def test_the_end_of_a_publish_may_be_as_much_again():
    shared = Backlogs()
    first, second = Backlog(shared), Backlog(shared)
    first.put([segment(180)], 2)
    second.put([segment(20)], 2)
    assert first.is_behind and second.is_behind and not first.is_full
    first.put([segment(1)], 2)
    assert first.is_full and not second.is_full
    second.put([segment(1)], 2)
    assert second.is_full


def test_what_is_taken_or_dropped_counts_no_more_and_ends_stay_in_their_place():
    shared = Backlogs()
    backlog = Backlog(shared)
    backlog.put([segment(1), segment(2)], 5)
    assert not backlog.has_end
    backlog.put_end()
    backlog.put([segment(3)], 6)
    assert list(backlog.durations()) == [10, 20] and backlog.has_end
    assert (len(backlog), backlog.segments, shared.bytes) == (4, 3, 6)
    taken = backlog.take()
    assert taken is not None and (len(taken[0].body), taken[1], shared.bytes) == (1, 5, 5)
    backlog.drop(ends=False)
    assert (len(backlog), backlog.segments, shared.bytes) == (1, 0, 0)
    assert backlog.take() is None and not backlog
    backlog.put_end()
    backlog.drop(ends=True)
    assert not backlog
