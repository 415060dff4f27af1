"""The arithmetic of the join benchmark."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.fanout.goals import Goal
from benchmarks.joins.decode import PACKET, Decoded, whole_flv, whole_ts
from benchmarks.joins.figures import (
    NS_PER_MS,
    Frame,
    Join,
    Sent,
    behind_live,
    first_keyframe_ms,
    frames_behind,
    percentile,
)
from benchmarks.joins.goals import judge
from benchmarks.joins.trial import judged

FRAME_MS = 40
START = 7_000_000_000_000


def at(ms: float) -> int:
    return START + round(ms * NS_PER_MS)


def frame(number: int, arrived_ms: float, dts_ms: float | None = None, pts_ms: float | None = None) -> Frame:
    """Frame *number* was sent at 40 ms times it, and has that decode time unless it is said."""
    dts_ms = FRAME_MS * number if dts_ms is None else dts_ms
    pts_ms = dts_ms if pts_ms is None else pts_ms
    return Frame(number, at(FRAME_MS * number), number % 50 == 0, dts_ms, pts_ms, at(arrived_ms))


STEADY = Join(0, START, "", [frame(n, FRAME_MS * n + 1) for n in range(300)])
"A player that was there all the time and gets each frame a millisecond after it was sent."


def join(
    asked_ms: float, *, late_ms: float = 1, squeezed: bool = False, number: int = 1, frames: int = 130
) -> Join:
    """Somebody who asks at *asked_ms* and gets the GOP, squeezed or not, 10 ms later, then each frame *late_ms* late."""
    head = int(asked_ms + 10) // FRAME_MS
    found = []
    for n in range(head // 50 * 50, head // 50 * 50 + frames):
        dts = FRAME_MS * n
        if squeezed and n <= head:
            dts = FRAME_MS * head - (head - n)
        arrived = asked_ms + 10 if n <= head else FRAME_MS * n + late_ms
        found.append(frame(n, arrived, dts))
    return Join(number, at(asked_ms), "", found)


@given(st.lists(st.integers(-1000, 1000), min_size=1), st.floats(0, 1))
def test_a_percentile_is_a_value_that_the_share_does_not_exceed(values: list[int], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(v <= found for v in values) >= share * len(values)
    assert sum(v < found for v in values) < max(share * len(values), 1)


def test_the_99th_of_a_hundred_leaves_out_only_the_worst() -> None:
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile(range(1, 101), 0.5) == 50
    assert percentile(range(1, 101), 1) == 100
    assert math.isnan(percentile([], 0.5))


def test_the_first_keyframe_is_timed_from_the_request() -> None:
    assert first_keyframe_ms(join(3000)) == 10
    assert first_keyframe_ms(Join(1, START, "", [frame(3, 5)])) is None


def test_a_frame_is_sent_when_its_stamp_says() -> None:
    sent = Sent([STEADY])
    assert sent.newest(at(-1)) is None
    assert sent.newest(at(79.9)) == 1
    assert sent.newest(at(80)) == 2
    assert Sent([Join(1, START, "", [Frame(4, 0, 0, 0, 0, at(9))])]).newest(at(100)) is None


@pytest.mark.parametrize(("late_ms", "behind"), [(1, 0), (41, 1), (130, 3), (200, 5)])
def test_frames_behind_count_from_the_publishers_newest(late_ms: float, behind: int) -> None:
    # 500 ms after 3,009 the publisher's newest is frame 87, 29 ms old.
    assert frames_behind(join(3009, late_ms=late_ms), Sent([STEADY])) == behind


def test_nobody_is_behind_before_the_first_frame_came() -> None:
    assert frames_behind(Join(1, at(3000), "", []), Sent([STEADY])) is None


def test_a_gop_at_its_own_pace_leaves_its_player_behind_by_its_age() -> None:
    # The GOP began at 2,000, the request came at 3,500: the newest frame then is that of 3,480.
    found = behind_live(join(3500))
    assert found is not None and 1480 <= found.shown <= 1520


def test_a_squeezed_gop_leaves_its_player_no_more_behind_than_its_span() -> None:
    found = behind_live(join(3500, squeezed=True))
    assert found is not None and 0 <= found.shown <= 37 + FRAME_MS


def test_what_is_shown_later_counts_as_buffered_only() -> None:
    frames = [frame(n, FRAME_MS * n, pts_ms=FRAME_MS * n + (80 if n else 40)) for n in range(100)]
    found = behind_live(Join(1, START, "", frames), after_ms=2500)
    assert found is not None
    assert found.shown == 2480 - 40 - 2500
    assert found.buffered == 2480 + 80 - 40 - 2500


def test_a_player_that_left_early_is_not_looked_at() -> None:
    assert behind_live(join(3500, frames=50)) is None
    assert behind_live(Join(1, START, "", [])) is None


def verdicts(joins: list[Join], decoded: Decoded) -> dict[str, str]:
    trial = judged(2, "fastflv compact", "flv", [STEADY, *joins], decoded)
    goals: list[Goal] = judge([trial], "fastflv compact")
    assert judge([trial], "srs") == []
    return {goal.what: goal.verdict for goal in goals}


def test_goals_are_met_by_squeezed_starts_only() -> None:
    everyone = [join(2000 + 20 * n, squeezed=True, number=n + 1) for n in range(100)]
    assert set(verdicts(everyone, Decoded(100, 100, 100)).values()) == {"met"}
    everyone = [join(2000 + 20 * n, number=n + 1) for n in range(100)]
    found = verdicts(everyone, Decoded(100, 99, 100))
    assert [what for what, verdict in found.items() if verdict == "missed"] == [
        "behind live p99",
        "captures not decoded",
    ]


def test_one_join_of_a_hundred_may_be_off_and_two_may_not() -> None:
    everyone = [join(2000 + 20 * n, squeezed=True, number=n + 1) for n in range(100)]
    what = "joins more than 3 frames off after 500 ms"
    everyone[5] = join(2100, squeezed=True, late_ms=400, number=6)
    assert verdicts(everyone, Decoded())[what] == "met"
    everyone[7] = Join(8, at(2140), "no keyframe came", [])
    found = verdicts(everyone, Decoded())
    assert found[what] == found["joins failed"] == "missed"


def test_a_capture_is_cut_to_whole_tags() -> None:
    tag = bytes([9, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]) + b"12345" + bytes([0, 0, 0, 16])
    whole = b"FLV\1\5\0\0\0\x09\0\0\0\0" + tag + tag
    for size in range(len(tag)):
        assert whole_flv(whole + tag[:size]) == whole


def test_a_capture_is_cut_before_its_last_unit() -> None:
    def packet(start: bool, payload: bytes) -> bytes:
        return (bytes([0x47, 0x41 if start else 0x01, 0x00, 0x10]) + payload).ljust(PACKET, b"\xff")

    whole = packet(True, b"\0\0\1\xe0") + packet(False, b"more")
    last = packet(True, b"\0\0\1\xe0") + packet(False, b"more")
    assert whole_ts(whole + last) == whole
    assert whole_ts(whole + last + last[:100]) == whole
