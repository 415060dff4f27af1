"""Where a past is cut into segments: numbers, lengths and discontinuities against the rules of RFC 8216."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, SCRIPT, VIDEO

from fastflv import limits
from fastflv._ext.log.past import Step
from fastflv._ext.syntax.flvtag import make_tag
from fastflv.servers.hls.windowlist import PastSegment, WindowList

AVC = make_tag(VIDEO, 0, AVC_HEADER)
OTHER = make_tag(VIDEO, 0, AVC_HEADER + b"\1")
AAC = make_tag(AUDIO, 0, AAC_HEADER)
NOTE = make_tag(SCRIPT, 0, b"\x02\x00\x0aonMetaData\x05")
WALL_MS = 1_800_000_000_000
FIRST = (WALL_MS + 1000) // 100
"Number of the first segment: the clock has tenths of a second."


def step(
    at_ms: int,
    *,
    pause: int = 40,
    headers: bytes | None = None,
    audio: bool = True,
    position: int = 0,
) -> Step:
    """A keyframe at a time, a KiB of the log for each ms."""
    return Step(position or at_ms * 1024, at_ms, WALL_MS + at_ms, at_ms - pause, audio, True, headers)


NEVER = 1 << 40


def no_frame(position: int, dts_ms: int, kind: int) -> None:
    """A log that says of no frame where it is."""


def each_frame(position: int, dts_ms: int, kind: int) -> tuple[int, int] | None:
    """A log with a frame each 40 ms."""
    found = dts_ms // 40 * 40
    return (found * 1024, found) if found * 1024 > position else None


def listed(*steps: Step, least_ms: int = 2000) -> WindowList:
    found = WindowList()
    found.take(steps, least_ms, NEVER, no_frame)
    return found


def camera(seconds: int, first: int = 1) -> list[Step]:
    return [step(1000 * n, headers=AVC + AAC if n == first else None) for n in range(first, first + seconds)]


def test_segments_end_at_the_first_keyframe_after_the_least_length_and_the_first_ones_sooner():
    found = listed(*camera(12))
    lengths = [segment.duration_ms for segment in found.segments]
    assert lengths == [1000, 1000, 1000, 2000, 2000, 2000, 2000]
    assert [segment.number for segment in found.segments] == list(range(FIRST, FIRST + 7))
    assert all(before.stop == after.position for before, after in pairwise(found.segments))
    assert not any(segment.discontinuity for segment in found.segments)
    assert {segment.run for segment in found.segments} == {FIRST}


@settings(max_examples=100)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=12))
def test_it_does_not_matter_in_which_parts_the_places_come(parts):
    whole, pieces = WindowList(), WindowList()
    steps = camera(sum(parts))
    whole.take(steps, 2000, NEVER, no_frame)
    at = 0
    for size in parts:
        pieces.take(
            [s._replace(headers=s.headers or AVC + AAC) for s in steps[at : at + size]], 2000, NEVER, no_frame
        )
        at += size
    assert whole.segments == pieces.segments


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"headers": OTHER + AAC}, True),
        ({"headers": AVC}, True),
        ({"headers": NOTE + AVC + AAC}, False),
        ({"pause": limits.HLS_GAP_MS + 1}, True),
        ({"pause": limits.HLS_GAP_MS - 1}, False),
        ({"audio": False}, False),
    ],
)
def test_a_player_begins_anew_behind_another_configuration_or_a_gap(change, broken):
    found = listed(*camera(6), step(9000, **change), step(10_000), step(11_000), step(12_000))
    number = next(segment.number for segment in found.segments if segment.stop >= 9000 * 1024)
    behind = found.find(number + 1)
    if not broken:
        assert not any(segment.discontinuity for segment in found.segments)
        return
    assert behind is not None and behind.discontinuity and behind.position == 9000 * 1024
    assert (behind.run == behind.number) == ("headers" in change)
    before = found.find(number)
    # What is missing is in no segment's length.
    missing = change.get("pause", limits.HLS_STEP_MS) - limits.HLS_STEP_MS
    assert before is not None and before.duration_ms == 9000 - missing - (before.position // 1024)


def test_sound_without_headers_is_known_by_its_frames():
    found = listed(step(1000, headers=AVC, audio=False), *(step(1000 * n) for n in range(2, 6)))
    assert [segment.discontinuity for segment in found.segments] == [False, True, False]


def test_a_clock_that_goes_back_is_a_discontinuity():
    found = listed(*camera(6), step(2000, pause=-4500, position=9 << 20), step(3000, position=10 << 20))
    later = listed(*camera(6), step(2000, pause=-4500, position=9 << 20), step(9000, position=10 << 20))
    assert later.segments[-1].discontinuity and all(each.duration_ms > 0 for each in later.segments)
    assert found.segments[-1].end_ms <= 6500 + limits.HLS_STEP_MS


def test_slow_pictures_are_no_gaps():
    rows = [step(5000 * n, pause=5000, headers=AVC if n == 1 else None) for n in range(1, 9)]
    found = listed(*rows)
    assert [segment.discontinuity for segment in found.segments][1:] == [False] * 6


def test_a_last_segment_lasts_to_the_end_of_the_stream():
    found = listed(*camera(6))
    known = found.segments[-1]
    found.finish(7000 * 1024, 6960)
    last = found.segments[-1]
    assert (last.position, last.stop) == (known.stop, 7000 * 1024) and last.end_ms == 7000
    found.finish(7000 * 1024, 6960)
    assert found.segments[-1] is last


def test_what_the_past_lost_is_forgotten_and_numbers_go_on():
    found = listed(*camera(12))
    found.forget(3500 * 1024)
    assert [segment.number for segment in found.segments] == list(range(FIRST + 3, FIRST + 7))
    assert found.find(FIRST + 2) is None and found.find(FIRST + 3) is found.segments[0]
    assert found.of_run(FIRST) is found.segments[0]
    # Nobody asked for so long that the past has nothing of what was seen.
    found.forget(1 << 40)
    found.take([step(1 << 21, headers=AVC + AAC), step((1 << 21) + 2000)], 2000, NEVER, no_frame)
    (segment,) = found.segments
    assert segment.number == FIRST + 7 and segment.discontinuity


def test_the_list_is_bounded(monkeypatch):
    monkeypatch.setattr(limits, "HLS_WINDOW_SEGMENTS_MAX", 3)
    found = listed(*camera(30))
    found.forget(0)
    assert len(found.segments) == 3 and found.segments[-1].number == found.segments[0].number + 2


@settings(max_examples=200)
@given(st.integers(0, 60_000), st.integers(0, 3000))
def test_a_playlist_begins_with_the_segment_nearest_to_its_length_before_the_live_edge(length_ms, ahead_ms):
    found = listed(*camera(30))
    edge = 30_000 + ahead_ms
    got = list(found.last(length_ms, edge))

    def distance(segment: PastSegment) -> int:
        return abs(segment.end_ms - segment.duration_ms - (edge - length_ms))

    assert got == found.segments[-len(got) :]
    assert distance(got[0]) == min(map(distance, found.segments))


def test_without_a_keyframe_segments_end_at_frames_within_the_longest_length():
    found = WindowList()
    rows = [step(1000, headers=AVC), step(31_000), step(33_000), step(35_000)]
    found.take(rows, 2000, 4499, each_frame)
    lengths = [segment.duration_ms for segment in found.segments]
    assert sum(lengths) == 34_000 and max(lengths) <= 4499
    assert all(before.stop == after.position for before, after in pairwise(found.segments))
    assert all(
        before.end_ms == after.end_ms - after.duration_ms for before, after in pairwise(found.segments)
    )
    assert not any(segment.discontinuity for segment in found.segments)
    # Each has the headers of the keyframe before it, and one that has none ends at the next.
    places = [row.position for row in rows]
    for segment in found.segments:
        assert segment.place == max(place for place in places if place <= segment.position)
    assert set(places) <= {segment.position for segment in found.segments} | {35_000 * 1024}
    assert [segment.begun_ms - WALL_MS for segment in found.segments][:2] == [1000, 1000 + lengths[0]]
    # The headers of a segment are forgotten with its keyframe.
    found.forget(2000 * 1024)
    assert found.segments[0].position == 31_000 * 1024


def test_the_open_segment_is_split_up_to_the_live_edge():
    found = listed(step(1000, headers=AVC))
    found.split(20_000 * 1024, 20_000, 4000, each_frame)
    assert [segment.duration_ms for segment in found.segments] == [4000] * 4
    found.split(20_000 * 1024, 20_000, 4000, no_frame)
    assert len(found.segments) == 4
