"""The merge window that a load asks for."""

from __future__ import annotations

import select
import time

from hypothesis import given
from hypothesis import strategies as st
from model.viewer import Publisher, Viewer

from fastflv import limits
from fastflv._ext.fanout.loadwindow import LoadMeter

WINDOWS = list(limits.AUTO_WINDOWS_MS)
LOOK = limits.AUTO_LOOK_MS / 1000
FRAME_MS = limits.AUTO_FRAME_MS


def run(busy: list[float], own: float = 1.0) -> list[int]:
    """Be awake that part of each look, and work *own* of it; return the window after each."""
    meter = LoadMeter(100.0)
    found = []
    for i, part in enumerate(busy, 1):
        now = 100.0 + i * LOOK
        meter.worked(now - part * LOOK, now, part * LOOK * own)
        found.append(meter.window_ms)
    return found


def model(busy: list[float]) -> list[int]:
    """The same, slowly."""
    level = calm = 0
    found = []
    for part in busy:
        shorter = max(WINDOWS[level - 1], FRAME_MS)
        if part * 100 >= limits.AUTO_FULL_PERCENT:
            level, calm = len(WINDOWS) - 1, 0
        elif part * 100 > limits.AUTO_BUSY_PERCENT:
            level, calm = min(level + 1, len(WINDOWS) - 1), 0
        elif level and part * 100 * WINDOWS[level] / shorter < limits.AUTO_FREE_PERCENT:
            calm += 1
            if calm == limits.AUTO_CALM_LOOKS:
                level, calm = level - 1, 0
        else:
            calm = 0
        found.append(WINDOWS[level])
    return found


@given(st.lists(st.sampled_from([0.0, 0.05, 0.12, 0.2, 0.3, 0.6, 0.72, 0.8, 1.0]), max_size=60))
def test_the_window_follows_the_load(busy: list[float]) -> None:
    assert run(busy) == model(busy)


def test_an_idle_thread_has_no_window_and_a_busy_one_the_longest() -> None:
    assert run([0.0] * 10)[-1] == 0
    assert run([0.9] * 10)[-1] == WINDOWS[-1]


def test_a_thread_that_is_behind_takes_the_longest_window_at_once() -> None:
    assert run([0.8, 0.8]) == WINDOWS[1:3]
    assert run([1.0]) == WINDOWS[-1:]


def test_a_thread_that_waits_for_its_core_keeps_its_window_for_a_while() -> None:
    late = limits.AUTO_LATE_LOOKS
    assert run([1.0] * (late - 1), own=0.5)[-1] == 0
    assert run([1.0] * late, own=0.5)[-1] == WINDOWS[1]
    assert run([1.0] * (2 * late), own=0.5)[-1] == WINDOWS[2]
    assert run([*[1.0] * (late - 1), 0.8] * 3, own=0.5)[-1] == 0


def test_load_that_a_longer_window_halves_does_not_make_it_swing() -> None:
    """A send costs the same whatever it carries: work goes with one through the window."""
    meter = LoadMeter(0.0)
    for cost in (0.2, 0.5, 0.9, 1.6, 3.0):
        seen = []
        now = 0.0
        for _ in range(200):
            now += LOOK
            part = min(1.0, cost * FRAME_MS / max(meter.window_ms, FRAME_MS))
            meter.worked(now - part * LOOK, now, part * LOOK)
            seen.append(meter.window_ms)
        assert len(set(seen[-50:])) == 1, f"at a cost of {cost}"


def test_between_two_looks_nothing_changes() -> None:
    meter = LoadMeter(0.0)
    assert not any(meter.worked(i / 1000, (i + 1) / 1000, 0.001) for i in range(int(LOOK * 1000) - 1))
    assert meter.worked(LOOK - 0.001, LOOK, 0.001)
    assert meter.window_ms == WINDOWS[-1]


def test_while_there_is_time_each_picture_is_sent_at_once(senders, tcp) -> None:
    publisher = Publisher()
    publisher.frames(1)
    viewer = Viewer(senders(1), tcp, publisher.log, position=publisher.log.key_pos, merge_window_ms=-1)
    viewer.read_until(13 + publisher.log.head - publisher.log.key_pos)
    waited = []
    for _ in range(30):
        began = time.monotonic()
        publisher.frames(1)
        assert select.select([viewer.socket], [], [], 5)[0]
        waited.append(time.monotonic() - began)
        viewer.data += viewer.socket.recv(1 << 16)
    # A window would hold most of them for tens of milliseconds.
    assert sorted(waited)[15] < 0.01
