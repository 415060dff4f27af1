"""The history of a log goes back as far as its slowest reader reads, and no further."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.viewer import FLV, SLOW, Publisher, Viewer

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor

NEVER = 1 << 40
GOP_BYTES = 10 * 700


def test_for_readers_that_keep_up_a_log_keeps_its_newest_gop():
    publisher = Publisher(history_ms=NEVER)
    log = publisher.log
    readers = [Cursor(log, position=log.head) for _ in range(3)]
    for _ in range(300):
        publisher.frames()
        for reader in readers:
            while reader.take():
                pass
        assert log.head - log.tail < 3 * GOP_BYTES
    assert log.readers == 3


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 15)), max_size=40))
def test_no_reader_loses_what_it_has_not_read(turns):
    """In each turn some frames are published, and one of three cursors reads; the third is closed in the middle."""
    publisher = Publisher(history_ms=NEVER)
    log, wire, cursors = publisher.log, b"", {}
    for number in range(3):
        cursors[Cursor(log, position=log.head, drop_ms=NEVER, jump_ms=NEVER)] = b"", number
    start = log.head
    for turn, (who, count) in enumerate(turns):
        for _ in range(count):
            before = log.head
            publisher.frames(1)
            wire += log.read(before, log.head)
        for cursor, (seen, number) in list(cursors.items()):
            if number == who:
                cursors[cursor] = seen + b"".join(iter(cursor.take, b"")), number
            if number == 2 and turn == 20:
                cursor.close()
                del cursors[cursor]
        assert log.tail <= min(max(cursor.position, start) for cursor in cursors)
    for cursor, (seen, _) in cursors.items():
        assert seen + b"".join(iter(cursor.take, b"")) == wire
        assert cursor.jumps == 0


def test_a_reader_that_is_closed_keeps_nothing():
    publisher = Publisher(history_ms=NEVER)
    log = publisher.log
    slow = Cursor(log, position=log.head)
    publisher.frames(300)
    assert log.tail <= slow.position
    slow.close()
    publisher.frames(30)
    assert log.head - log.tail < 3 * GOP_BYTES


def test_one_that_waits_for_a_keyframe_keeps_nothing():
    publisher = Publisher(history_ms=NEVER)
    publisher.frames(3)
    waiting = Cursor(publisher.log)
    waiting.take()
    publisher.frames(300)
    assert publisher.log.head - publisher.log.tail < 3 * GOP_BYTES


def test_who_is_going_to_read_in_a_moment_keeps_all():
    publisher = Publisher(history_ms=NEVER)
    log = publisher.log
    log.hold()
    position = log.head
    publisher.frames(300)
    assert log.tail <= position
    log.let_go()
    publisher.frames(30)
    assert log.head - log.tail < 3 * GOP_BYTES


@pytest.mark.parametrize("window_ms", [0, 60], ids=["picture", "window"])
@pytest.mark.parametrize("seed", range(3))
def test_players_of_threads_that_read_now_and_then_lose_nothing(senders, tcp, seed, window_ms):
    chance = random.Random(seed)
    publisher = Publisher(gop=5, frame_bytes=2000, history_ms=NEVER)
    log, sender, wire, begun = publisher.log, senders(2), b"", []
    publisher.frames(1)

    def join() -> None:
        at, position = len(wire), log.head
        viewer = Viewer(
            sender, tcp, log, position=position, sizes=SLOW if chance.random() < 0.7 else None,
            drop_ms=NEVER, jump_ms=NEVER, close_ms=NEVER, merge_window_ms=window_ms,
        )  # fmt: skip
        begun.append((viewer, at))

    for _ in range(80):
        if len(begun) < 6 and chance.random() < 0.3:
            join()
        for _ in range(chance.randrange(1, 6)):
            before = log.head
            publisher.frames(1)
            wire += log.read(before, log.head)
        for viewer, at in begun:
            if chance.random() < 0.3:
                viewer.read(min(chance.randrange(1, 40_000), len(FLV) + len(wire) - at - len(viewer.body[0])))
    for viewer, at in begun:
        viewer.read_until(len(FLV) + len(wire) - at)
        assert viewer.body[0] == FLV + wire[at:]
        assert viewer.player.jumps == 0
    # All have read all: the history goes, for those of a window after some more pictures.
    for _ in range(200):
        before = log.head
        publisher.frames(1)
        wire += log.read(before, log.head)
        for viewer, at in begun:
            viewer.read_until(len(FLV) + len(wire) - at)
        if log.head - log.tail < 40_000:
            break
    assert log.head - log.tail < 40_000


def test_a_burst_of_more_time_than_the_history_is_read_whole_where_it_is_small():
    """As of a publisher that was cut off: seconds of sound in one read."""
    publisher = Publisher(history_ms=500)
    log = publisher.log
    reader = Cursor(log, position=log.head, drop_ms=NEVER, jump_ms=NEVER)
    start = log.head
    publisher.frames(80)
    assert log.head - start < limits.HISTORY_BYTES_MIN
    assert len(b"".join(iter(reader.take, b""))) == log.head - start
    assert reader.jumps == 0
