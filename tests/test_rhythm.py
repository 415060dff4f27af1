"""After which silence a stream has stalled: by its own rhythm. The clock is the test's."""

from __future__ import annotations

import pytest

from fastflv import limits
from fastflv.cluster.rhythm import Rhythm


def silence(every: float, seconds: float = 20.0) -> float:
    """Return after how much silence a stream that sends *every* seconds, for so many seconds, counts as stalled."""
    now, received, next_media = 100.0, 0, 100.0
    rhythm = Rhythm(now, received)
    while now < 100 + seconds:
        now += limits.PULL_LOOK_SECONDS
        while next_media <= now:
            next_media += every
            received += 1
        # A slow stream may look like one that has stalled until its rhythm is known.
        assert not rhythm.look(now, received) or now < 103
    last = now
    while not rhythm.look(now, received):
        now += limits.PULL_LOOK_SECONDS
    return now - last


@pytest.mark.parametrize(("every", "most"), [(0.02, 0.5), (0.04, 0.5), (0.35, 1.4), (1.0, 3.4), (2.0, 4.4)])
def test_a_stream_has_stalled_after_some_of_its_own_gaps(every, most):
    assert every < silence(every) <= most


def test_a_process_that_stood_itself_has_heard_nothing_and_waits_anew():
    rhythm = Rhythm(100.0, 0)
    rhythm.look(100.1, 1)
    assert not rhythm.look(160.0, 1)
    assert not rhythm.look(160.1, 1)
