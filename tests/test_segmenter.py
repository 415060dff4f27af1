"""Where segments end: by rule, against a slow model, and in the corners."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv import limits
from fastflv.containers.segmenter import Segment, Segmenter
from fastflv.media.codecs import AUDIO, VIDEO

KEY = 1
LEAST, MOST = 2000, 4200


@dataclass
class ListPacker:
    """A segment is the list of its frames."""

    changed: set[int] = field(default_factory=set)
    frames: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    done: list[list[tuple[int, int, int, bytes]]] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    restarts: int = 0

    def read(self, kind, flags, dts_ms, data):
        if data == b"header":
            if self.frames:
                self.changed.add(kind)
            return None
        return data

    def add(self, kind, flags, dts_ms, frame):
        self.frames.append((kind, flags, dts_ms, frame))

    def finish(self, end_ms):
        self.done.append(self.frames)
        self.ends.append(end_ms)
        self.frames = []
        self.changed.clear()
        return b"body", b""

    def drop(self):
        self.finish(-1)

    def restart(self):
        self.restarts += 1


def film(seconds: float, gop: int = 50, start: int = 0, step: int = 40, first: int = 0) -> list:
    """Pictures every *step* ms, each *gop* th a keyframe, with sound every 20 ms between them."""
    rows = []
    for number in range(int(seconds * 1000 / step)):
        dts = start + number * step
        rows.append((VIDEO, KEY if (number + first) % gop == 0 else 0, dts, b"p"))
        rows += [(AUDIO, 0, dts + at, b"s") for at in range(0, step, 20)]
    return rows


def sound(seconds: float, start: int = 0, step: int = 20) -> list:
    return [(AUDIO, 0, start + number * step, b"s") for number in range(int(seconds * 1000 / step))]


def cut(rows, *, video=True, **more) -> tuple[list[Segment], ListPacker]:
    packer = ListPacker()
    segmenter = Segmenter(packer, LEAST, MOST, **more)
    done = segmenter.take(rows, video=video)
    return done + segmenter.flush(), packer


def shape(segments: list[Segment]) -> list[tuple[int, int, bool]]:
    return [(s.start_ms, s.duration_ms, s.is_key) for s in segments]


def test_a_segment_ends_at_the_first_keyframe_behind_the_least():
    segments, packer = cut(film(7, gop=25))
    assert shape(segments) == [(0, 2000, True), (2000, 2000, True), (4000, 2000, True), (6000, 1000, True)]
    assert all(frames[0][:2] == (VIDEO, KEY) for frames in packer.done)
    assert not any(segment.discontinuity for segment in segments)


@pytest.mark.parametrize(("gop", "expected"), [(50, 2000), (75, 3000), (60, 2400), (20, 2400), (100, 4000)])
def test_the_length_follows_the_keyframes(gop, expected):
    segments, _ = cut(film(20, gop=gop))
    assert {segment.duration_ms for segment in segments[:-1]} == {expected}


def test_a_long_gop_is_cut_and_the_rest_begins_without_a_keyframe():
    segments, packer = cut(film(12, gop=250))
    assert shape(segments) == [
        (0, 4200, True), (4200, 4200, False), (8400, 1600, False), (10_000, 2000, True),
    ]  # fmt: skip
    assert all(segment.duration_ms <= MOST for segment in segments)
    assert not any(segment.discontinuity for segment in segments)
    assert sum(map(len, packer.done)) == len(film(12, gop=250))


def test_without_waiting_for_keyframes_any_picture_begins_a_segment():
    segments, packer = cut(film(9, gop=250), wait_key=False)
    assert [segment.duration_ms for segment in segments] == [2000, 2000, 2000, 2000, 1000]
    assert [segment.is_key for segment in segments] == [True, False, False, False, False]
    assert all(frames[0][0] == VIDEO for frames in packer.done)


def test_sound_alone_is_cut_by_time_and_never_over_it():
    segments, _ = cut(sound(9, step=23), video=False)
    assert all(1950 < segment.duration_ms <= LEAST for segment in segments[:-1])
    assert all(segment.is_key for segment in segments)


def test_nothing_is_taken_before_the_first_keyframe():
    segments, packer = cut(film(5, gop=50, first=20))
    assert segments[0].start_ms == 30 * 40
    assert packer.done[0][0][:2] == (VIDEO, KEY)


def test_sound_goes_on_alone_where_the_first_keyframe_stays_away_for_long():
    rows = film(9, gop=1000, first=1) + film(4, start=9000)
    segments, packer = cut(rows)
    assert shape(segments)[0] == (limits.HLS_KEY_WAIT_MS, LEAST, False)
    alone = [frames for segment, frames in zip(segments, packer.done, strict=True) if segment.start_ms < 9000]
    assert {kind for frames in alone for kind, *_ in frames} == {AUDIO}
    assert sum(map(len, alone)) == (9000 - limits.HLS_KEY_WAIT_MS) // 20
    pictures = [segment for segment in segments if segment.is_key]
    assert pictures[0].start_ms == 9000 and not any(segment.discontinuity for segment in segments)


def test_sound_far_from_the_pictures_does_not_cut():
    rows = [(kind, flags, dts + (9000 if kind == AUDIO else 0), data) for kind, flags, dts, data in film(8)]
    assert [s.duration_ms for s in cut(rows)[0]] == [2000] * 4
    rows = [(kind, flags, dts + (9000 if kind == VIDEO else 0), data) for kind, flags, dts, data in film(8)]
    assert [s.duration_ms for s in cut(rows)[0]] == [2000] * 4


def test_when_pictures_stay_away_sound_goes_on_in_segments_of_their_own():
    rows = film(3) + sound(10, start=3000) + film(4, start=13_000)
    segments, packer = cut(rows)
    assert all(segment.duration_ms <= MOST for segment in segments)
    assert sum(map(len, packer.done)) == len(rows)
    assert segments[-1].is_key


def test_a_pause_of_everything_is_a_discontinuity_and_no_part_of_a_segment():
    segments, _ = cut(film(3) + film(4, start=9000))
    assert shape(segments) == [(0, 2000, True), (2000, 1000, True), (9000, 2000, True), (11_000, 2000, True)]
    assert [segment.discontinuity for segment in segments] == [False, False, True, False]


def test_pictures_that_are_always_rare_are_no_pauses():
    rows = [(VIDEO, KEY, 3000 * number, b"p") for number in range(6)]
    segments, _ = cut(rows)
    assert [segment.duration_ms for segment in segments[1:]] == [3000] * 5
    assert not any(segment.discontinuity for segment in segments[2:])


def test_another_coding_begins_at_a_keyframe_behind_a_discontinuity():
    rows = film(3)
    rows += [(VIDEO, 0, 3000, b"header"), *film(4, start=3000)]
    segments, packer = cut(rows)
    assert shape(segments)[:3] == [(0, 2000, True), (2000, 1000, True), (3000, 2000, True)]
    assert [segment.discontinuity for segment in segments] == [False, False, True, False]
    assert sum(map(len, packer.done)) == len(rows) - 1


def test_sound_of_another_coding_waits_for_the_keyframe():
    rows = film(2.4)
    rows += [(AUDIO, 0, 2400, b"header"), *film(4, start=2400, first=10)]
    segments, packer = cut(rows)
    assert [segment.discontinuity for segment in segments] == [False, False, True, False]
    assert segments[2].start_ms == 4000
    assert [row for row in packer.done[1] if row[0] == AUDIO][-1][2] < 2400
    # Pictures are left out by nobody.
    assert sum(row[0] == VIDEO for frames in packer.done for row in frames) == 160


def test_sound_alone_of_another_coding_goes_on_at_once():
    rows = [*sound(1), (AUDIO, 0, 1000, b"header"), *sound(1, start=1000)]
    segments, _packer = cut(rows, video=False)
    assert shape(segments) == [(0, 1000, True), (1000, 1000, True)]
    assert segments[1].discontinuity


def test_a_change_that_is_told_begins_at_the_next_keyframe_and_leaves_nothing_out():
    packer = ListPacker()
    segmenter = Segmenter(packer, LEAST, MOST)
    done = segmenter.take(film(3), video=True)
    segmenter.change()
    done += segmenter.take(film(4, start=3000, first=25), video=True) + segmenter.flush()
    assert [(s.start_ms, s.discontinuity) for s in done] == [
        (0, False),
        (2000, False),
        (4000, True),
        (6000, False),
    ]
    assert sum(map(len, packer.done)) == len(film(7))


def test_a_change_between_segments_marks_the_next_one():
    segmenter = Segmenter(ListPacker(), LEAST, MOST)
    segmenter.change()
    assert segmenter.take(film(3), video=True)[0].discontinuity


def test_what_goes_on_behind_older_segments_says_so():
    segments, _ = cut(film(5), continues=True)
    assert [segment.discontinuity for segment in segments] == [True, False, False]


def test_a_rest_that_is_too_short_is_left_out():
    segments, _ = cut(film(4.08))
    assert [segment.duration_ms for segment in segments] == [2000, 2000]
    segments, _ = cut(film(4.12))
    assert [segment.duration_ms for segment in segments] == [2000, 2000, 120]
    assert cut([])[0] == []


def test_a_last_picture_does_not_last_as_long_as_a_pause_before_it():
    rows = [*film(2.04), (VIDEO, KEY, 62_000, b"late"), (AUDIO, 0, 62_100, b"sound")]
    segments, _ = cut(rows)
    assert [segment.duration_ms for segment in segments] == [2000, 40, MOST]


def test_segments_begin_behind_multiples_of_the_wall_clock():
    segments, _ = cut(film(9, gop=25), floor_ms=2000, clock_ms=1_700_000_000_500)
    # The clock says ...0.5 s at the start: the next even second comes at 1.5 s, the next keyframe at 2 s.
    assert [segment.start_ms for segment in segments] == [0, 2000, 4000, 6000, 8000]
    segments, _ = cut(film(9, gop=25), floor_ms=2000, clock_ms=1_700_000_001_500)
    assert [segment.start_ms for segment in segments] == [0, 1000, 3000, 5000, 7000]


def test_the_rule_may_change_while_a_segment_is_open():
    segmenter = Segmenter(ListPacker(), 1000, MOST)
    done = segmenter.take(film(1.5, gop=25), video=True)
    assert [segment.duration_ms for segment in done] == [1000]
    assert segmenter.is_open
    segmenter.least_ms = 3000
    done = segmenter.take(film(6, gop=25, start=1500, first=12), video=True)
    assert done[0].duration_ms >= 3000


# --- against a model ------------------------------------------------------------------------------

STEP_MAX = 700
FRAMES = st.lists(
    st.tuples(st.sampled_from([VIDEO, VIDEO, AUDIO]), st.booleans(), st.integers(1, STEP_MAX)), max_size=120
)


@given(FRAMES, st.booleans(), st.integers(100, 3000), st.integers(1, 4))
def test_every_frame_is_in_one_segment_and_no_segment_is_too_long(rows, wait_key, least, ratio):
    most = least * ratio
    entries, now = [], 0
    for kind, key, step in rows:
        now += step
        entries.append((kind, KEY if key and kind == VIDEO else 0, now, b"f%d" % now))
    packer = ListPacker()
    segmenter = Segmenter(packer, least, most, wait_key=wait_key)
    done = []
    # Pulled in any pieces, the segments are the same.
    for at in range(0, len(entries), 7):
        done += segmenter.take(entries[at : at + 7], video=True)
    done += segmenter.flush()
    first = next((i for i, row in enumerate(entries) if row[0] == VIDEO and row[1] & KEY), len(entries))
    assert [row for frames in packer.done for row in frames] == entries[first:]
    for segment, after in itertools.pairwise(done):
        assert segment.start_ms + segment.duration_ms <= after.start_ms
        assert segment.start_ms + segment.duration_ms == after.start_ms or after.discontinuity
        assert segment.duration_ms >= limits.HLS_SEGMENT_MS_MIN or after.discontinuity
    for segment, frames in zip(done, packer.done, strict=False):
        # Nobody knows how long a frame lasts before the next: two steps where the last was sound, told by its picture's time.
        assert segment.duration_ms <= max(most, limits.HLS_SEGMENT_MS_MIN) + 2 * STEP_MAX
        assert segment.is_key == (frames[0][0] == VIDEO and bool(frames[0][1] & KEY))


@given(st.integers(1, 120), st.sampled_from([20, 33, 40]), st.integers(200, 4000), st.integers(10, 30))
def test_regular_streams_are_cut_as_a_model_says(gop, step, least, seconds):
    rows = [row for row in film(seconds, gop=gop, step=step) if row[0] == VIDEO]
    segments, _ = cut_with(rows, least, 100_000)
    starts = [0]
    for _, flags, dts, _ in rows:
        if flags & KEY and dts - starts[-1] >= least:
            starts.append(dts)
    assert [segment.start_ms for segment in segments] in (starts, starts[:-1])


def cut_with(rows, least, most):
    packer = ListPacker()
    segmenter = Segmenter(packer, least, most)
    return segmenter.take(rows, video=True) + segmenter.flush(), packer


# --- clocks that jump, and that stand still -------------------------------------------------------------------


@pytest.mark.parametrize("jump", [16_777_000, 4000, -3000], ids=["ahead", "a little ahead", "back"])
def test_a_jump_of_the_clock_is_a_discontinuity_and_no_part_of_a_segment(jump):
    start = 20_000
    rows = film(5, gop=50, start=start) + film(5, gop=50, start=start + 5000 + jump)
    segments, packer = cut(rows)
    assert shape(segments) == [
        (start, 2000, True), (start + 2000, 2000, True), (start + 4000, 1000, True),
        *((start + 5000 + jump + at, length, True) for at, length in ((0, 2000), (2000, 2000), (4000, 1000))),
    ]  # fmt: skip
    assert [segment.discontinuity for segment in segments] == [False] * 3 + [True] + [False] * 2
    assert packer.restarts == 1


def test_a_jump_of_the_sound_alone_is_a_discontinuity():
    rows = film(3) + [
        (kind, flags, dts + 9_000_000 * (kind == AUDIO), b"f") for kind, flags, dts, _ in film(3, start=3000)
    ]
    segments, packer = cut(rows)
    assert all(segment.duration_ms <= MOST for segment in segments)
    assert packer.restarts == 1
    assert sum(segment.discontinuity for segment in segments) == 1


@pytest.mark.parametrize("frames", [1, 3000])
def test_what_comes_while_the_clock_stands_still_is_bounded_and_dropped(frames, monkeypatch):
    monkeypatch.setattr(limits, "HLS_SEGMENT_BYTES_MAX", 500_000)
    packer = ListPacker()
    segmenter = Segmenter(packer, LEAST, MOST)
    rows = [(VIDEO, KEY, 0, bytes(800))] * frames + film(0.04) * 3000
    done, held = [], 0
    for at in range(0, len(rows), 10):
        done += segmenter.take(rows[at : at + 10], video=True)
        held = max(held, sum(len(row[3]) + limits.HLS_FRAME_BYTES for row in packer.frames))
    assert done == [] and segmenter.lost > 0
    assert held < 520_000
    # The clock goes on.
    done = segmenter.take(film(5, start=5000), video=True)
    assert shape(done)[-2:] == [(5000, 2000, True), (7000, 2000, True)]


def test_a_segment_that_grows_too_large_is_cut_before_its_time(monkeypatch):
    monkeypatch.setattr(limits, "HLS_SEGMENT_BYTES_MAX", 20_000)
    segments, packer = cut(film(8))
    assert len(segments) > 4 and sum(map(len, packer.done)) == len(film(8))
    assert not any(segment.discontinuity for segment in segments)


WILD = st.lists(
    st.tuples(
        st.sampled_from([VIDEO, VIDEO, AUDIO]),
        st.booleans(),
        st.integers(0, 2**32 - 1) | st.integers(0, 5000),
    ),
    max_size=80,
)


@given(WILD, st.booleans())
def test_no_clock_makes_a_segment_without_length_or_beyond_the_limit(rows, steady):
    packer = ListPacker()
    segmenter = Segmenter(packer, 1000, 2100)
    segmenter.limit_ms = 2499
    entries = [(kind, KEY if key and kind == VIDEO else 0, dts, b"f") for kind, key, dts in rows]
    if steady:
        entries = entries[:20] + film(5) + entries[20:]
    done = segmenter.take(entries, video=True) + segmenter.flush()
    assert all(0 < segment.duration_ms <= 2499 for segment in done)
    for frames, end in zip(packer.done, packer.ends, strict=True):
        # What a packer makes sample durations of.
        for kind in (VIDEO, AUDIO):
            times = [row[2] for row in frames if row[0] == kind]
            assert all(abs(a - b) < 20_000 for a, b in itertools.pairwise(times))
            assert end < 0 or not times or abs(end - times[-1]) < 20_000 or kind == AUDIO
