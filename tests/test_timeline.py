"""The timeline: valid time comes out as it went in, and what is not valid is taken out once."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from model.timeline import AUDIO, VIDEO, Encoder, Frame, steady, steps

from fastflv import limits
from fastflv._ext.ingest.timeline import TimelineProbe

FULL, ZERO, OFF = 0, 1, 2
BACK, AHEAD = limits.TIME_BACK_STEP_MS, limits.TIME_AHEAD_STEP_MS

STARTS = st.one_of(
    st.sampled_from([0, 1, 2**24 - 500, 2**24, 2**31 - 500, 2**31, 2**32 - 500, 2**32 - 1]),
    st.integers(0, 2**32 - 1),
)


@st.composite
def valid(draw):
    """Frames in the order they are sent: times never go back on a track; one track may be sent late."""
    time = 0
    frames = []
    for _ in range(draw(st.integers(1, 40))):
        frames.append(Frame(draw(st.sampled_from([AUDIO, VIDEO])), time))
        time += draw(st.one_of(st.integers(0, 60), st.sampled_from([0, 23, 40, 1000, AHEAD])))
    late, track = draw(st.sampled_from([0, 30, 900])), draw(st.sampled_from([AUDIO, VIDEO]))
    return frames[:1] + sorted(frames[1:], key=lambda frame: frame.time + late * (frame.track == track))


def play(probe: TimelineProbe, encoder: Encoder, frames: list[Frame], wall: int = 10**6) -> list[int]:
    """Stamp frames that arrive when their true time says."""
    return [probe.stamp(frame.track, encoder.raw(frame), wall + frame.time) for frame in frames]


def of_track(frames: list[Frame], times: list[int], track: int) -> list[int]:
    return [time for frame, time in zip(frames, times, strict=True) if frame.track == track]


@given(valid(), STARTS)
@example([Frame(AUDIO, 0), Frame(VIDEO, 0), Frame(AUDIO, 23), Frame(VIDEO, 40)], 2**32 - 10)
def test_valid_time_comes_out_unchanged_but_for_its_start(frames, start):
    probe = TimelineProbe()
    assert play(probe, Encoder(start), frames) == [frame.time for frame in frames]
    assert (probe.repairs, probe.clamped) == (0, 0)


@given(st.integers(1, 2000), STARTS)
def test_a_second_track_that_starts_before_the_first_is_held_at_zero_and_then_in_step(lead, start):
    probe = TimelineProbe()
    frames = [Frame(AUDIO, 0), Frame(VIDEO, -lead), Frame(VIDEO, lead), Frame(AUDIO, lead)]
    assert play(probe, Encoder(start), frames) == [0, 0, lead, lead]


@given(st.sampled_from([AUDIO, VIDEO]), st.integers(0, 100_000), STARTS)
def test_a_track_that_joins_late_is_in_step(first, late, start):
    frames = [Frame(first, time) for time in range(0, late + 1, 1000)]
    frames.append(Frame(1 - first, frames[-1].time + 7))
    assert play(TimelineProbe(), Encoder(start), frames) == [frame.time for frame in frames]


@pytest.mark.parametrize("bits", [24, 32])
@pytest.mark.parametrize("before", [1, 20, 500, 999])
@pytest.mark.parametrize("audio_ms", [0, 23])
def test_a_wrap_goes_on_exactly(bits, before, audio_ms):
    probe = TimelineProbe()
    frames = steady(2000, audio_ms=audio_ms)
    assert play(probe, Encoder(2**bits - before, bits), frames) == [frame.time for frame in frames]
    assert probe.repairs == 0


def test_two_wraps_of_24_bits_go_on_exactly():
    frames = [Frame(VIDEO, time) for time in range(0, 2**25 + 10_000, 5000)]
    assert play(TimelineProbe(), Encoder(0, 24), frames) == [frame.time for frame in frames]


@given(
    st.one_of(
        st.integers(AHEAD + 2000, 2**31 - 10**6),
        st.integers(-(2**31) + 10**6, -BACK - 2000),
    ).filter(lambda jump: abs(jump + 2**24) > AHEAD + 2000),
    st.sampled_from([AUDIO, VIDEO]),
    STARTS,
)
def test_a_jump_of_both_tracks_is_taken_out_once_and_they_keep_their_distance(jump, first, start):
    frames = steady(4000, first=first)
    encoder = Encoder(start)
    probe = TimelineProbe()
    before = [frame for frame in frames if frame.time < 2000]
    after = [frame for frame in frames if frame.time >= 2000]
    times = play(probe, encoder, before)
    encoder.jumps = {AUDIO: jump, VIDEO: jump}
    times += play(probe, encoder, after)
    assert probe.repairs == 1
    shifts = [time - frame.time for frame, time in zip(after, times[len(before) :], strict=True)]
    # One step of a track stands for the jump; the track that jumps second may have its first tag held.
    assert abs(shifts[-1]) <= 60
    assert len(set(shifts[3:])) == 1
    assert all(step >= 0 for track in (AUDIO, VIDEO) for step in steps(of_track(frames, times, track)))


@given(st.sampled_from([AUDIO, VIDEO]), st.sampled_from([10**6, -(10**6)]), st.integers(1, 30))
def test_tracks_that_jump_a_while_apart_are_in_step_again(first, jump, apart):
    frames = steady(6000)
    encoder = Encoder(2**31)
    probe = TimelineProbe()
    times = []
    for i, frame in enumerate(frames):
        if i == 50:
            encoder.jumps[first] = jump
        if i == 50 + apart:
            encoder.jumps[1 - first] = jump
        times.append(probe.stamp(frame.track, encoder.raw(frame), 10**6 + frame.time))
    shifts = [time - frame.time for frame, time in zip(frames, times, strict=True)][-20:]
    assert len(set(shifts)) == 1
    assert abs(shifts[-1]) <= 60
    assert probe.repairs == 1


def test_a_track_that_jumps_there_and_back_loses_only_its_own_steps():
    encoder = Encoder()
    probe = TimelineProbe()
    frames = steady(6000, audio_ms=0)
    times = []
    for frame in frames:
        encoder.jumps[VIDEO] = 10**6 if 2000 <= frame.time < 2080 else 0
        times.append(probe.stamp(VIDEO, encoder.raw(frame), frame.time))
    assert times == [frame.time for frame in frames]
    assert probe.repairs == 2


def test_a_step_back_within_bounds_is_held_and_the_clock_goes_on():
    probe = TimelineProbe()
    raw = [1000, 1040, 1040 - BACK, 1080, 1120]
    assert [probe.stamp(VIDEO, value, value) for value in raw] == [0, 40, 40, 80, 120]
    assert (probe.repairs, probe.clamped) == (0, 1)


@given(st.integers(AHEAD + 1, 10**8), st.integers(-2000, 2000))
def test_a_gap_that_the_wall_clock_confirms_passes(gap, error):
    probe = TimelineProbe()
    now = 10**9
    assert probe.stamp(VIDEO, 5, now) == 0
    assert probe.stamp(VIDEO, 5 + gap, now + gap + error) == gap
    assert probe.repairs == 0


def test_a_gap_of_which_the_wall_clock_knows_nothing_is_taken_out():
    probe = TimelineProbe()
    assert [probe.stamp(VIDEO, raw, 10**9 + raw % 1000) for raw in (0, 40, 80)] == [0, 40, 80]
    assert probe.stamp(VIDEO, 80 + AHEAD + 1000, 10**9 + 120) == 120
    assert probe.repairs == 1


@given(
    st.lists(
        st.tuples(st.sampled_from([AUDIO, VIDEO]), st.integers(0, 2**32 - 1), st.integers(0, 5000)),
        max_size=60,
    ),
    st.lists(st.integers(0, 59), max_size=3),
)
def test_whatever_is_sent_time_never_falls_on_a_track_nor_below_zero(rows, restarts):
    probe = TimelineProbe()
    last = [0, 0]
    now = 0
    for i, (track, raw, waited) in enumerate(rows):
        if i in restarts:
            probe.restart(40)
        now += waited
        time = probe.stamp(track, raw, now)
        assert time >= last[track]
        last[track] = time


@given(
    st.lists(
        st.tuples(st.sampled_from([AUDIO, VIDEO]), st.integers(0, 2**32 - 1), st.integers(0, 5000)),
        max_size=60,
    )
)
def test_time_that_is_not_valid_does_not_run_away(rows):
    """Each tag moves the timeline by a plausible step, or by no more than the wall clock and the bounds allow."""
    probe = TimelineProbe()
    now = bound = 0
    for track, raw, waited in rows:
        now += waited
        bound += waited + AHEAD + limits.TIME_TRACK_SPREAD_MS
        assert probe.stamp(track, raw, now) <= bound


@given(valid(), STARTS, valid(), STARTS, st.integers(1, 5000))
def test_after_a_restart_time_goes_on_behind_the_gap(first, start, second, again, gap):
    probe = TimelineProbe()
    end = max(play(probe, Encoder(start), first))
    probe.restart(gap)
    assert play(probe, Encoder(again), second) == [end + gap + frame.time for frame in second]
    assert (probe.repairs, probe.clamped) == (0, 0)


def test_a_restart_before_the_first_tag_changes_nothing():
    probe = TimelineProbe()
    probe.restart(1000)
    assert probe.stamp(AUDIO, 77, 0) == 0


@given(valid(), STARTS, st.integers(AHEAD + 1, 2**31 - 10**7))
def test_zero_mode_starts_at_zero_and_passes_jumps_on(frames, start, jump):
    probe = TimelineProbe(ZERO)
    encoder = Encoder(start)
    times = play(probe, encoder, frames)
    assert times == [frame.time for frame in frames]
    last = frames[-1]
    assert probe.stamp(last.track, (encoder.raw(last) + jump) % 2**32, 10**6) == last.time + jump
    assert probe.stamp(last.track, encoder.raw(last), 10**6) == last.time


@given(st.lists(st.tuples(st.sampled_from([AUDIO, VIDEO]), st.integers(0, 2**32 - 1)), max_size=40))
def test_zero_mode_is_never_negative(rows):
    probe = TimelineProbe(ZERO)
    assert all(probe.stamp(track, raw, 0) >= 0 for track, raw in rows)


@given(st.lists(st.tuples(st.sampled_from([AUDIO, VIDEO]), st.integers(0, 2**32 - 1)), max_size=40))
def test_off_mode_passes_everything_on(rows):
    probe = TimelineProbe(OFF)
    assert [probe.stamp(track, raw, 0) for track, raw in rows] == [raw for _, raw in rows]
    assert (probe.repairs, probe.clamped) == (0, 0)


@pytest.mark.parametrize("track", [-1, 2])
def test_there_are_two_tracks(track):
    with pytest.raises(ValueError, match="track"):
        TimelineProbe().stamp(track, 0, 0)


# --- script data -----------------------------------------------------------------------------------

SCRIPT_AHEAD = limits.TIME_SCRIPT_AHEAD_MS


@given(valid(), STARTS, st.data())
def test_script_data_has_its_own_time_between_the_frames_and_moves_no_clock(frames, start, data):
    probe, without, encoder = TimelineProbe(), TimelineProbe(), Encoder(start)
    frames = sorted(frames, key=lambda frame: frame.time)
    first = frames[0].time
    for before, behind in pairwise(frames):
        now = 10**6 + before.time
        assert probe.stamp(before.track, encoder.raw(before), now) == without.stamp(
            before.track, encoder.raw(before), now
        )
        time = data.draw(st.integers(before.time, min(behind.time, before.time + SCRIPT_AHEAD)))
        assert probe.place(encoder.raw(Frame(AUDIO, time)), now) == time - first
    assert (probe.repairs, probe.clamped) == (without.repairs, without.clamped)


@given(STARTS, st.sampled_from([0, 5_000, 600_000]))
def test_script_data_that_waited_for_the_wall_clock_keeps_its_time(start, waited):
    probe, encoder = TimelineProbe(), Encoder(start)
    probe.stamp(VIDEO, encoder.raw(Frame(VIDEO, 0)), 10**6)
    assert probe.place(encoder.raw(Frame(VIDEO, waited)), 10**6 + waited) == waited
    assert probe.stamp(VIDEO, encoder.raw(Frame(VIDEO, waited + 40)), 10**6 + waited + 40) == waited + 40


@given(st.integers(0, 2**32 - 1), st.sampled_from([FULL, ZERO, OFF]))
def test_whatever_script_data_claims_it_stays_near_the_newest_frames(raw, mode):
    probe = TimelineProbe(mode)
    newest = [probe.stamp(track, time, 10**6 + time) for time in range(0, 30_000, 40) for track in (0, 1)][-1]
    placed = probe.place(raw, 10**6 + newest)
    assert newest - BACK <= placed <= newest + SCRIPT_AHEAD
    if newest - BACK <= raw <= newest + SCRIPT_AHEAD:
        assert placed == raw


def test_script_data_follows_a_track_over_a_repaired_jump_and_a_publisher_that_returns():
    probe = TimelineProbe()
    probe.stamp(VIDEO, 0, 10**6)
    probe.stamp(VIDEO, 40, 10**6 + 40)
    jumped = probe.stamp(VIDEO, 5_000_000, 10**6 + 80)
    assert (jumped, probe.place(5_000_020, 10**6 + 80)) == (80, 100)
    probe.restart(500)
    assert probe.place(77, 10**6 + 600) == 580
    assert probe.stamp(VIDEO, 77, 10**6 + 600) == 580
    assert probe.place(90, 10**6 + 600) == 593


def test_script_data_is_not_put_back_to_a_track_that_fell_silent():
    probe = TimelineProbe()
    probe.stamp(AUDIO, 0, 10**6)
    for time in range(0, 60_000, 40):
        probe.stamp(VIDEO, time, 10**6 + time)
    assert probe.place(100, 10**6 + 60_000) == 59_960
