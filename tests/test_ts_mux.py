"""MPEG-TS from tags: what goes in comes out in its time, byte by byte, in packets that a strict reader takes."""

from __future__ import annotations

import gc
import sys
from itertools import accumulate, pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from model import ts
from model.flv import AUDIO, KEY, SCRIPT, VIDEO, Tag, write_tag
from model.remuxed import (
    AAC_HEAD,
    AVC_HEAD,
    HEVC_HEAD,
    OPUS_HEAD_TAG,
    PPS,
    SPS,
    avc,
    expected_units,
    flv,
    hevc,
    pictures,
    sounds,
)
from model.tsfeed import IDR, SLICE, Bench, audio, enhanced, video

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv.containers.mpegts import mux
from fastflv.errors import FlvHeaderError

DISPOSABLE = 2


def shown_dts(packets: list[ts.Packet]) -> float:
    """Decode time of the PES in the packets of an entry, ms in the stream."""
    payload = b"".join(packet.payload for packet in packets if packet.pid in (0x100, 0x101))
    return ts.ahead(ts.read_pes(payload)[2], limits.TS_BASE_MS * 90) / 90


# --- whatever comes ---------------------------------------------------------------------------

NALU = st.binary(min_size=1, max_size=300).map(lambda data: data.replace(b"\0", b"\1"))
COMMON = st.sampled_from([IDR, SLICE, b"\x09\xf0", SPS, PPS, b"\x06sei"])
PICTURES = st.tuples(
    st.just(VIDEO),
    st.lists(st.one_of(NALU, COMMON), min_size=1, max_size=4),
    st.booleans(),
    st.integers(0, 300),
)
SOUNDS = st.tuples(st.just(AUDIO), st.binary(min_size=1, max_size=500))
STEPS = st.sampled_from([0, 1, 20, 23, 40, 40, 67, 101, 200, 400, 1100, 4500, 6000])
ROWS = st.lists(st.tuples(STEPS, st.one_of(PICTURES, SOUNDS)), max_size=40)


def as_tags(rows, codec: str = "H264", start: int = 0) -> list[Tag]:
    tags, time = [], start
    for step, (kind, *more) in rows:
        time += step
        if kind == AUDIO:
            tags.append(audio(time, more[0]))
        elif codec == "H264":
            tags.append(Tag(VIDEO, time, avc(more[0], key=more[1], cts=more[2])))
        else:
            tags.append(Tag(VIDEO, time, hevc(more[0], key=more[1], cts=more[2])))
    return tags


def check(rows, reader: ts.Reader, codec: str = "H264", start: int = 0) -> None:
    """Every frame is there once, in order, at its time."""
    time, wanted, frames = start, [], []
    for step, (kind, *more) in rows:
        time += step
        if kind == AUDIO:
            frames.append((time, more[0]))
        else:
            wanted.append((time + more[2], time, expected_units(more[0], key=more[1], codec=codec)))
    got = pictures(reader, start)
    assert [picture.units for picture in got] == [units for _, _, units in wanted]
    last = None
    for picture, (pts, dts, _) in zip(got, wanted, strict=True):
        # Of several in one millisecond each is a tick later.
        expected = dts if last is None or dts > last else last + 1 / 90
        assert picture.dts_ms == pytest.approx(expected)
        assert picture.pts_ms == pytest.approx(max(pts, expected))
        last = picture.dts_ms
    heard = sounds(reader, start)
    assert [frame for one in heard for frame in one.units] == [frame for _, frame in frames]
    at = 0
    for one in heard:
        assert one.pts_ms == pytest.approx(frames[at][0])
        at += len(one.units)
        assert frames[at - 1][0] - one.pts_ms < limits.TS_AUDIO_MS


@settings(max_examples=120)
@given(ROWS, st.sampled_from(["H264", "HEVC"]), st.integers(0, 3) | st.integers(95_443_000, 95_444_000))
def test_every_frame_comes_out_once_in_order_and_at_its_time(rows, codec, start):
    head = AVC_HEAD if codec == "H264" else HEVC_HEAD
    bench = Bench().put(head, AAC_HEAD, *as_tags(rows, codec, start))
    bench.source.end()
    reader = bench.read()
    check(rows, reader, codec, start)
    assert bench.mux.skipped == 0
    assert bench.log.ended


@settings(max_examples=60)
@given(ROWS)
def test_what_comes_is_decoded_after_its_clock(rows):
    reader = Bench().put(AVC_HEAD, AAC_HEAD, *as_tags(rows)).read()
    for pes in reader.pes:
        if pes.lead is not None:
            assert pes.lead >= 0
    if all(step < 4500 for step, _ in rows) and sum(step for step, _ in rows) < 4500:
        assert reader.restarts == 0


@settings(max_examples=60)
@given(ROWS)
def test_each_entry_is_one_pes_and_a_place_to_start_begins_with_tables(rows):
    bench = Bench().put(AVC_HEAD, AAC_HEAD, *as_tags(rows))
    for position, size, dts_ms, kind, flags in bench.log.tags():
        data = bench.log.read(position, position + size)
        packets = ts.read_packets(data)
        starts = [packet for packet in packets if packet.start and packet.pid in (0x100, 0x101)]
        assert [packet.pid for packet in starts] == [0x100 if kind == VIDEO else 0x101]
        assert starts[0].random_access == bool(flags & KEY)
        assert dts_ms == pytest.approx(shown_dts(packets), abs=1)
        if flags & KEY:
            assert [packet.pid for packet in packets[:2]] == [0, 0x1000]
            reader = bench.read(position)
            assert [one.pid for one in reader.pes if one.packet < len(packets)] == [0x100]
            assert starts[0].pcr is not None
    keys = [row[0] for row in bench.log.tags() if row[4] & KEY]
    assert bench.log.key_pos == (keys[-1] if keys else -1)
    # Who jumps there is told that no counter goes on.
    jump = ts.read_packets(bench.log.key_headers)
    assert all(packet.discontinuity and not packet.has_payload for packet in jump)
    assert [packet.pid for packet in jump[:2]] == ([0, 0x1000] if keys else [])


FIRST_PICTURE = (0, (VIDEO, [IDR], True, 0))
LOST_VIDEO = [(step, (AUDIO, b"sound")) for step in (23, 6000, 67, 4500, 6000, 101)] + [
    (40, (VIDEO, [SLICE], False, 74))
]
"Video is silent for longer than TRACK_LOST_MS."
SLOW_VIDEO = [
    (0, (AUDIO, b"sound")),
    (6000, (VIDEO, [SLICE], False, 0)),
    *((step, (AUDIO, b"sound")) for step in (4500, 101, 0)),
]
"Audio waits for a picture for so long that it and the next audio are further apart than TRACK_LOST_MS."

AHEAD_AT_FIRST = [
    (0, (AUDIO, b"\0")),
    (40, (VIDEO, [b"\1"], False, 0)),
    (67, (AUDIO, b"\0")),
    (400, (AUDIO, b"\0")),
    (40, (VIDEO, [b"\1"], False, 0)),
]
"With audio 148 ms ahead: the first tables stand before audio whose time the PCR has 108 ms later."


def longest_silence_of_video(rows) -> int:
    """The longest time between two pictures, or behind the last, ms."""
    times = list(accumulate(step for step, _ in rows))
    shown = [time for time, (_, (kind, *_)) in zip(times, rows, strict=True) if kind == VIDEO]
    return max(after - before for before, after in pairwise([*shown, times[-1]]))


@settings(max_examples=60)
@given(ROWS)
@example(LOST_VIDEO)
@example(SLOW_VIDEO)
def test_a_file_becomes_what_a_live_stream_becomes(rows):
    rows = [FIRST_PICTURE, *rows]
    tags = [AVC_HEAD, AAC_HEAD, *as_tags(rows)]
    bench = Bench().put(*tags)
    bench.source.end()
    made = mux(flv(tags))
    if longest_silence_of_video(rows) <= limits.TRACK_LOST_MS:
        assert made == bench.bytes()
    else:
        # A live stream without video sends each audio frame at once; a file still gathers TS_AUDIO_MS for one PES.
        check(rows, ts.read_ts(made))
        check(rows, bench.read())


@settings(max_examples=60)
@given(ROWS, st.integers(0, 600))
@example(AHEAD_AT_FIRST, 148)
def test_audio_that_runs_ahead_breaks_no_clock(rows, ahead):
    tags = [
        tag._replace(dts_ms=tag.dts_ms + ahead) if tag.kind == AUDIO else tag
        for tag in as_tags(rows)
        if tag.dts_ms < 4500
    ]
    reader = Bench().put(AVC_HEAD, AAC_HEAD, *tags).read()
    assert reader.restarts == 0


@settings(max_examples=120)
@given(st.lists(st.tuples(st.sampled_from([AUDIO, VIDEO, SCRIPT]), st.binary(max_size=60)), max_size=20))
def test_whatever_the_bytes_nothing_is_raised_and_the_packets_are_good(rows):
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True))
    for i, (kind, body) in enumerate(rows):
        bench.put(Tag(kind, i * 10, body))
    bench.put(AVC_HEAD, AAC_HEAD, video(1000, key=True), audio(1001), video(1040))
    bench.source.end()
    assert pictures(bench.read())[-1].units == expected_units([SLICE], key=False)


FIRST = st.sampled_from(
    [b"\x17\1", b"\x27\1", b"\x91hvc1", b"\x93avc1", b"\xaf\1", b"\x91Opus", b"\x91mp4a", b"\x2f"]
)


@settings(max_examples=120)
@given(st.lists(st.tuples(st.sampled_from([AUDIO, VIDEO]), FIRST, st.binary(max_size=40)), max_size=20))
def test_broken_frames_of_known_codecs_are_counted_and_do_no_harm(rows):
    bench = Bench().put(AVC_HEAD, OPUS_HEAD_TAG, video(0, key=True))
    for i, (kind, first, rest) in enumerate(rows):
        bench.put(Tag(kind, i * 10, first + rest))
    bench.source.end()
    reader = bench.read()
    assert len(pictures(reader)) + sum(len(one.units) for one in sounds(reader)) <= len(rows) + 1


# --- times ------------------------------------------------------------------------------------


def test_pictures_that_are_shown_later_have_both_times():
    bench = Bench().put(
        AVC_HEAD, video(0, key=True, cts=80), video(40, cts=160), video(80), video(120, cts=40)
    )
    assert [(one.pts_ms, one.dts_ms) for one in pictures(bench.read())] == [
        (80, 0),
        (200, 40),
        (80, 80),
        (160, 120),
    ]


def test_negative_offsets_are_shown_in_time_and_decoded_before():
    bench = Bench().put(AVC_HEAD)
    offsets = [0, 80, -40, -40, 80, -40, -40]
    bench.put(*(video(i * 40, key=i == 0, cts=cts) for i, cts in enumerate(offsets)))
    got = pictures(bench.read())
    shown = [i * 40 + cts for i, cts in enumerate(offsets)]
    # The first that is to be shown before its time comes a tick after the picture it follows.
    assert [one.pts_ms for one in got] == pytest.approx(shown, abs=0.02)
    assert [one.dts_ms for one in got] == pytest.approx([0, 40, 40, 80, 120, 160, 200], abs=0.02)


def test_an_offset_back_in_time_beyond_all_reason_is_bounded():
    bench = Bench().put(AVC_HEAD, video(0, key=True), video(1000, cts=-900), video(1040))
    got = pictures(bench.read())
    assert got[1].pts_ms == got[1].dts_ms == 1000 - limits.TS_SHIFT_MS
    assert got[2].pts_ms == 1040


def test_the_first_picture_is_at_the_base_and_its_clock_before():
    reader = Bench().put(AVC_HEAD, video(0, key=True)).read()
    assert reader.pes[0].pts == limits.TS_BASE_MS * 90
    assert reader.pcrs == [(limits.TS_BASE_MS - limits.TS_PCR_LEAD_MS) * 90]


def test_pictures_far_apart_are_bridged_by_clock_packets():
    bench = Bench().put(AVC_HEAD)
    bench.put(*(video(time, key=time == 0) for time in range(0, 5000, 200)))
    reader = bench.read()
    assert len(reader.pcrs) >= 49
    assert reader.restarts == 0


def test_few_pictures_with_audio_have_a_clock_from_the_audio():
    bench = Bench().put(AVC_HEAD, AAC_HEAD)
    for time in range(0, 3000, 20):
        bench.put(audio(time), *([video(time, key=time == 0)] if time % 200 == 0 else []))
    reader = bench.read()
    assert len(pictures(reader)) == 15
    gaps = [later - earlier for earlier, later in zip(reader.pcrs, reader.pcrs[1:], strict=False)]
    assert max(gaps) <= 100 * 90
    assert len(reader.pcrs) <= 60


def test_at_25_frames_a_second_no_packet_is_spent_on_a_clock_alone():
    bench = Bench().put(AVC_HEAD, AAC_HEAD)
    for time in range(0, 2000, 20):
        bench.put(audio(time), *([video(time, key=time == 0)] if time % 40 == 0 else []))
    assert all(packet.has_payload for packet in ts.read_packets(bench.bytes()))


def test_a_long_silence_is_a_new_start_of_the_clock():
    bench = Bench().put(AVC_HEAD, video(0, key=True), video(40), video(60_000), video(60_040))
    reader = bench.read()
    assert reader.restarts == 1
    assert len(bench.bytes()) < 30 * 188


def test_a_step_back_is_a_new_start_of_the_clock():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(50_000, key=True), audio(50_010), video(50_040))
    bench.put(video(0, key=True), audio(10), video(40), video(80))
    reader = bench.read()
    assert reader.restarts == 1
    assert [one.dts_ms for one in pictures(reader)] == [50_000, 50_040, 0, 40, 80]


# --- the log ----------------------------------------------------------------------------------


def test_headers_before_the_newest_gop_are_taken_first():
    headers = b"".join(map(write_tag, (AVC_HEAD, AAC_HEAD)))
    bench = Bench(video(5000, key=True), audio(5010), video(5040), headers=headers)
    assert len(pictures(bench.read())) == 2
    assert bench.mux.skipped == 0


def test_flags_of_frames_go_to_the_log():
    bench = Bench().put(AVC_HEAD, video(0, key=True), Tag(VIDEO, 40, b"\x37" + avc([SLICE])[1:]), video(80))
    assert [(row[2], row[3], row[4]) for row in bench.log.tags()] == [
        (0, VIDEO, KEY),
        (40, VIDEO, DISPOSABLE),
        (80, VIDEO, 0),
    ]


def test_headers_scripts_and_ends_of_sequence_are_no_entries_and_not_missed():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, Tag(SCRIPT, 0, b"\2\0\0"), Tag(VIDEO, 0, b"\x17\2\0\0\0"))
    bench.put(enhanced(AUDIO, b"mp4a", 4, b"\1\2\0\0\0\3"), Tag(VIDEO, 0, b"\x57\0"))
    assert bench.log.tags() == []
    assert bench.mux.skipped == 0


def test_nothing_comes_after_the_follower_was_stopped():
    bench = Bench().put(AVC_HEAD, video(0, key=True))
    head = bench.log.head
    bench.mux.stop()
    bench.put(video(40))
    assert bench.log.head == head


def test_no_python_object_is_left_per_frame():
    bench = Bench().put(AVC_HEAD, AAC_HEAD)
    tags = [tag for time in range(0, 4000, 20) for tag in (video(time, key=time % 1000 == 0), audio(time))]
    bench.put(*tags)
    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        bench.put(*tags)
        grown = sys.getallocatedblocks() - before
    finally:
        gc.enable()
    assert grown < 40


@pytest.mark.parametrize("data", [b"", b"FLV\1\5\0\0\0\x09\0\0\0", b"FLV\2\5\0\0\0\x09\0\0\0\0", bytes(20)])
def test_a_file_that_is_no_flv_is_refused(data):
    with pytest.raises(FlvHeaderError, match="no FLV header"):
        mux(data)


@pytest.mark.parametrize("at", [0, (1 << 30) - 1, 1 << 30, (1 << 31) - 200])
def test_a_file_may_begin_at_any_time_of_31_bits(at):
    tags = [AVC_HEAD, AAC_HEAD, *(video(at + 40 * i, key=i == 0) for i in range(4))]
    found = [one.dts for one in ts.read_ts(mux(flv(tags))).pes if one.pid == 0x100]
    assert found == [(at + 40 * i + limits.TS_BASE_MS) * 90 % (1 << 33) for i in range(4)]


@given(st.integers(0, 400))
def test_a_file_that_is_cut_gives_what_its_whole_tags_give(cut):
    tags = [AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10), video(40), audio(50), video(80)]
    whole = flv(tags)[: 13 + cut]
    count, at = 0, 13
    while count < len(tags) and at + len(write_tag(tags[count])) <= len(whole):
        at += len(write_tag(tags[count]))
        count += 1
    assert mux(whole) == mux(flv(tags[:count]))


@given(st.integers(1, 40), st.booleans())
def test_a_player_that_jumps_is_told_that_nothing_goes_on(missed, with_audio):
    bench = Bench(AVC_HEAD, *([AAC_HEAD] if with_audio else []))

    def shoot(first, count):
        for i in range(first, first + count):
            bench.put(video(40 * i, key=i % 10 == 0))
            if with_audio:
                bench.put(audio(40 * i + 20))

    shoot(0, 12)
    player = Cursor(bench.log, position=0, jump_ms=600)
    wire = player.take()
    seen = len(ts.read_ts(wire).pes)
    shoot(12, 20 + missed)
    shoot(32 + missed, 10 - (32 + missed) % 10 + 1)
    wire += player.take()
    reader = ts.read_ts(wire)
    assert player.jumps == reader.jumps == 1
    assert reader.pes[seen].random_access
