"""How much is read at once follows what it costs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fastflv import limits
from fastflv._ext.ingest.readpace import ReadPace

READ = limits.READ_SECONDS


class Clock:
    """Reads of one socket, by a clock that the test moves."""

    def __init__(self) -> None:
        self.pace = ReadPace()
        self.now = 1.0

    def read(self, size: int, seconds: float, *, after: float = 1.0) -> bool:
        began = self.now + after
        self.now = began + seconds
        return self.pace.spent(size, began, self.now)


def test_cheap_bytes_soon_have_the_whole_buffer():
    clock = Clock()
    reads = 0
    while clock.pace.room < limits.RECEIVE_BYTES:
        assert not clock.read(clock.pace.room, 0.0001)
        reads += 1
    assert reads <= 5


def test_a_dear_read_gives_way_and_the_next_one_is_as_long_as_it_may_cost():
    clock = Clock()
    assert clock.read(16_384, 8 * READ)
    assert 2000 < clock.pace.room <= 2048
    assert clock.read(2048, 1.1 * READ)
    assert not clock.read(1000, 0.9 * READ)


def test_reads_that_follow_each_other_count_together():
    clock = Clock()
    apart = limits.READ_GAP_SECONDS
    assert [clock.read(100, 0.4 * READ, after=0.1 * apart) for _ in range(6)] == [False, False, True] * 2
    assert not any(clock.read(100, 0.4 * READ, after=2 * apart) for _ in range(6))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans())))
def test_a_read_is_never_below_its_least_nor_above_the_buffer(reads):
    clock = Clock()
    for seconds, after, full in reads:
        clock.read(clock.pace.room if full else 1, seconds, after=after)
        assert limits.READ_BYTES_MIN <= clock.pace.room <= limits.RECEIVE_BYTES
