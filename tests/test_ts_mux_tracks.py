"""Tracks of MPEG-TS: audio that is gathered, and tables that tell of what comes, changes and goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from model import ts
from model.flv import AUDIO, VIDEO, Feed, Tag
from model.remuxed import (
    AAC_HEAD,
    AVC_HEAD,
    HEVC_HEAD,
    MP3_FRAME,
    OPUS_HEAD_TAG,
    aac,
    avc,
    flv,
    hevc,
    pictures,
    sounds,
)
from model.tsfeed import IDR, SLICE, Bench, announced, audio, enhanced, tables, video

from fastflv import limits
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.ts.mux import TsMux
from fastflv.containers.mpegts import describe, mux

# --- audio ------------------------------------------------------------------------------------


def test_audio_waits_for_the_next_picture():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True))
    head = bench.log.head
    bench.put(audio(0, b"a"), audio(23, b"b"))
    assert bench.log.head == head
    bench.put(video(40))
    assert [one.units for one in sounds(bench.read())] == [[b"a", b"b"]]
    assert [row[3] for row in bench.log.tags()] == [VIDEO, AUDIO, VIDEO]


def test_audio_waits_no_longer_than_its_bound():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True))
    bench.put(*(audio(time) for time in range(0, 400, 23)))
    heard = sounds(bench.read())
    assert [one.pts_ms for one in heard] == [0, 92, 184, 276]
    assert {len(one.units) for one in heard} == {4}


def test_audio_that_waited_long_for_a_picture_begins_no_silence_of_video():
    bench = Bench().put(
        AVC_HEAD, AAC_HEAD, video(0, key=True), audio(0), video(6000), audio(10_500), audio(10_601)
    )
    assert len(tables(bench.read())) == 1


def test_without_video_audio_does_not_wait():
    bench = Bench().put(AAC_HEAD, audio(0, b"a"))
    assert [one.units for one in sounds(bench.read())] == [[b"a"]]
    bench.put(audio(23, b"b"))
    assert [one.units for one in sounds(bench.read())] == [[b"a"], [b"b"]]


def test_audio_that_was_there_before_the_first_player_is_gathered():
    bench = Bench(AAC_HEAD, *(audio(time, b"%d" % time) for time in range(0, 100, 20)))
    assert [one.units for one in sounds(bench.read())] == [[b"0", b"20", b"40", b"60"], [b"80"]]


def test_audio_of_a_codec_does_not_mix_with_that_of_another():
    bench = Bench(
        AVC_HEAD, AAC_HEAD, video(0, key=True), audio(0), Tag(AUDIO, 10, b"\x2f" + MP3_FRAME), video(40)
    )
    reader = bench.read()
    assert [(pes.type, len(pes.data)) for pes in reader.pes if pes.pid == 0x101] == [(0x0F, 12), (0x03, 4)]


def test_gathered_audio_is_written_when_the_stream_ends():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10))
    assert sounds(bench.read()) == []
    bench.source.end()
    assert len(sounds(bench.read())) == 1


# --- tables -----------------------------------------------------------------------------------


def test_tables_come_at_least_twice_a_second():
    bench = Bench().put(AVC_HEAD, video(0, key=True), *(video(time) for time in range(40, 4000, 40)))
    assert 8 <= len(bench.read().pmts) <= 11


def test_a_track_that_comes_later_is_announced_before_its_first_frame():
    bench = Bench().put(AVC_HEAD, video(0, key=True), video(40), AAC_HEAD, video(80), audio(90), video(120))
    reader = bench.read()
    assert tables(reader) == [{0x100: 0x1B}, {0x100: 0x1B, 0x101: 0x0F}]
    assert [pmt.version for pmt in reader.pmts] == [0, 1]


def test_audio_without_a_header_is_in_the_first_tables_when_it_is_in_the_log():
    sound = Tag(AUDIO, 10, b"\x2f" + MP3_FRAME)
    tags = [AVC_HEAD, video(0, key=True), sound, video(40), sound]
    assert tables(Bench(*tags).read()) == [{0x100: 0x1B, 0x101: 0x03}]
    assert tables(ts.read_ts(mux(flv(tags)))) == [{0x100: 0x1B, 0x101: 0x03}]
    assert len(tables(Bench().put(*tags).read())) == 2


def test_a_repeated_header_changes_nothing():
    bench = Bench().put(
        AVC_HEAD, AAC_HEAD, video(0, key=True), AVC_HEAD, AAC_HEAD, video(40), audio(41), video(80)
    )
    assert len(bench.read().pmts) == 1


def test_another_codec_is_announced_before_its_first_frame():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10), video(40))
    bench.put(HEVC_HEAD, OPUS_HEAD_TAG, Tag(VIDEO, 80, hevc([b"\x26\1"], key=True)))
    bench.put(enhanced(AUDIO, b"Opus", 1, b"x")._replace(dts_ms=81), Tag(VIDEO, 120, hevc([b"\x02\1"])))
    reader = bench.read()
    assert tables(reader) == [{0x100: 0x1B, 0x101: 0x0F}, {0x100: 0x24, 0x101: 0x06}]
    assert [pes.type for pes in reader.pes if pes.pid == 0x101] == [0x0F, 0x06]


def test_a_camera_of_one_late_picture_a_second_stays_in_the_tables_from_its_header_on():
    bench = Bench().put(AVC_HEAD, AAC_HEAD)
    for time in range(0, 8000, 20):
        bench.put(audio(time))
        if time % 1100 == 1080:
            bench.put(video(time, key=time == 1080))
    assert tables(bench.read()) == [{0x100: 0x1B, 0x101: 0x0F}]


def test_a_track_that_has_only_a_header_leaves_the_tables():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, *(video(time, key=time == 0) for time in range(0, 3000, 40)))
    assert tables(bench.read()) == [{0x100: 0x1B, 0x101: 0x0F}, {0x100: 0x1B}]
    bench.put(audio(3010), video(3040))
    assert tables(bench.read())[2:] == [{0x100: 0x1B, 0x101: 0x0F}]


def test_sound_that_falls_silent_leaves_the_tables_and_comes_back():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10), video(40))
    silence = limits.TRACK_LOST_MS
    bench.put(*(video(time) for time in range(80, silence, 40)))
    assert tables(bench.read()) == [{0x100: 0x1B, 0x101: 0x0F}]
    bench.put(*(video(time) for time in range(silence, silence + 200, 40)))
    assert tables(bench.read())[1:] == [{0x100: 0x1B}]
    bench.put(audio(silence + 200), video(silence + 240))
    assert tables(bench.read())[2:] == [{0x100: 0x1B, 0x101: 0x0F}]
    assert sorted({pmt.version for pmt in bench.read().pmts}) == [0, 1, 2]


def test_a_pause_of_all_tracks_leaves_the_tables_alone():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10))
    for time in range(9000, 90_000, 9000):
        bench.put(video(time), audio(time + 8000))
    assert tables(bench.read()) == [{0x100: 0x1B, 0x101: 0x0F}]


def test_a_publisher_without_video_after_one_with_it_turns_the_stream_into_audio():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10), video(40))
    bench.source.forget_key()
    assert bench.log.key_pos == -1
    bench.put(AAC_HEAD, *(audio(time) for time in range(1000, 4000, 20)))
    reader = bench.read()
    assert tables(reader) == [{0x100: 0x1B, 0x101: 0x0F}, {0x101: 0x0F}]
    assert reader.pmts[-1].pcr_pid == 0x101
    assert announced(bench.mux) == [(0x101, 0x0F)]


def test_publishers_that_follow_each_other_are_one_stream():
    source, log = MediaLog(keep_ms=10**9), MediaLog(keep_ms=10**9)
    writer = StreamWriter(source)
    follower = TsMux(source, log, describe)
    follower.begin(b"", 0)
    firsts = {0x1B: (AVC_HEAD.body, avc([IDR], key=True), avc([SLICE]))}
    firsts[0x24] = (HEVC_HEAD.body, hevc([b"\x26\1idr"], key=True), hevc([b"\x02\1slice"]))
    for codec in (0x1B, 0x24, 0x24, 0x1B):
        writer.begin(1000)
        feed = Feed(writer)
        head, key, inter = firsts[codec]
        feed.video(70_000, head)
        feed.audio(70_000, AAC_HEAD.body)
        for time in range(70_000, 71_000, 40):
            feed.video(time, key if time == 70_000 else inter)
            feed.audio(time + 10, aac(b"sound"))
        writer.forget_key()
        assert log.key_pos == -1
    source.end()
    reader = ts.read_ts(log.read(0, log.head))
    assert [types[0x100] for types in tables(reader)] == [0x1B, 0x24, 0x1B]
    assert all(types[0x101] == 0x0F for types in tables(reader))
    assert reader.restarts == 0
    assert len(pictures(reader)) == 100
    assert sum(len(one.units) for one in sounds(reader)) == 100
    assert follower.skipped == 0


def test_audio_that_was_gathered_is_published_when_the_publisher_leaves():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10))
    bench.source.forget_key()
    assert len(sounds(bench.read())) == 1


def test_video_that_becomes_one_that_cannot_be_carried_leaves_the_audio():
    bench = Bench().put(AVC_HEAD, AAC_HEAD, video(0, key=True), audio(10), video(40))
    bench.put(enhanced(VIDEO, b"vp09", 0, bytes(8)), audio(50), enhanced(VIDEO, b"vp09", 1, b"x"), audio(80))
    assert tables(bench.read()) == [{0x100: 0x1B, 0x101: 0x0F}, {0x101: 0x0F}]
    assert bench.mux.skipped == 2


@given(st.integers(0, 60))
def test_the_tables_for_a_player_at_the_head_are_those_of_the_log(count):
    bench = Bench().put(AAC_HEAD, *(audio(time * 30) for time in range(count)))
    start = bench.mux.tables()
    head = bench.log.head
    bench.put(*(audio(time * 30) for time in range(count, count + 40)))
    reader = ts.Reader().read(start + bench.bytes(head)).end()
    assert tables(reader) == [{0x101: 0x0F}]
    assert len(sounds(reader)) == 40


def test_there_are_no_tables_before_there_is_a_track():
    bench = Bench()
    assert bench.mux.tables() == b""
    assert announced(bench.mux) == []


def test_what_tables_told_a_player_counts_as_told():
    bench = Bench().put(AAC_HEAD)
    start = bench.mux.tables()
    bench.put(AVC_HEAD, video(0, key=True), audio(10), video(40))
    reader = ts.Reader().read(start + bench.bytes()).end()
    assert [pmt.version for pmt in reader.pmts] == [0, 1]
