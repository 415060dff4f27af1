"""The intake behind a chunk reader: what a publisher sends, and what of it is in the log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.flv import (
    AAC_HEADER,
    AGGREGATE,
    AUDIO,
    AVC_HEADER,
    HEVC_HEADER,
    SCRIPT,
    VIDEO,
    Feed,
    Tag,
    aggregate,
    inter,
    key,
    log_tags,
    read_tags,
    sound,
)

from fastflv import limits
from fastflv._ext.chunkwrite import write_message
from fastflv._ext.intake import Intake
from fastflv._ext.medialog import MediaLog
from fastflv.media import amf0
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions

GAP = 100
MONO = b"\xaf\x00\x11\x88"


@pytest.fixture
def feed() -> Feed:
    intake = Intake(MediaLog())
    intake.begin(10)
    return Feed(intake)


def start(feed: Feed, time: int = 0) -> None:
    """Headers of both tracks and a GOP of two frames."""
    feed.audio(time, AAC_HEADER)
    feed.video(time, AVC_HEADER)
    feed.video(time, key(b"1"))
    feed.audio(time, sound(b"1"))
    feed.video(time + 40, inter(b"2"))


def after(feed: Feed, mark: bytes) -> list[Tag]:
    """Tags in the log behind the one with *mark*."""
    tags = log_tags(feed.intake.log)
    return tags[next(i for i, tag in enumerate(tags) if tag.mark == mark) + 1 :]


def headers_at_key(feed: Feed) -> list[Tag]:
    return read_tags(feed.intake.log.key_headers)


def test_media_comes_out_byte_for_byte_at_a_time_that_starts_at_zero(feed):
    start(feed, time=123456)
    assert log_tags(feed.intake.log) == [
        Tag(AUDIO, 0, AAC_HEADER),
        Tag(VIDEO, 0, AVC_HEADER),
        Tag(VIDEO, 0, key(b"1")),
        Tag(AUDIO, 0, sound(b"1")),
        Tag(VIDEO, 40, inter(b"2")),
    ]


MEDIA = st.sampled_from(
    [(VIDEO, key(b"a")), (VIDEO, inter(b"b" * 700)), (AUDIO, sound(b"c" * 90)), (AUDIO, AAC_HEADER)]
)


@given(st.lists(st.tuples(MEDIA, st.integers(0, 100)), max_size=40), st.integers(0, 2**32 - 1))
def test_a_log_is_the_list_of_what_was_sent(rows, origin):
    feed = Feed(Intake(MediaLog()))
    feed.intake.begin(10)
    time = 0
    sent = []
    for (kind, body), step in rows:
        feed.send(kind, origin + time, body, now_ms=time)
        sent.append((kind, body))
        time += step
    tags = log_tags(feed.intake.log)
    assert [(tag.kind, tag.body) for tag in tags] == sent
    assert feed.intake.bytes == sum(len(body) for _, body in sent)
    assert feed.intake.video_tags == sum(kind == VIDEO for kind, _ in sent)
    assert feed.intake.audio_tags == sum(kind == AUDIO and body != AAC_HEADER for kind, body in sent)


def test_nothing_is_seen_before_flush():
    intake = Intake(MediaLog())
    intake.begin(10)
    intake.set_metadata(b"x", 0)
    assert intake.log.head == 0
    intake.flush()
    assert log_tags(intake.log) == [Tag(SCRIPT, 0, b"x")]
    head = intake.log.head
    intake.flush()
    assert intake.log.head == head


# --- headers ---


def test_a_joining_player_gets_metadata_then_audio_then_video_headers_at_the_time_of_the_key(feed):
    # With a time of its own metadata would be a subtitle to FFmpeg.
    feed.intake.set_metadata(b"meta", 0)
    feed.video(1000, AVC_HEADER)
    feed.audio(1000, AAC_HEADER)
    feed.video(1000, key())
    feed.video(3000, key())
    assert headers_at_key(feed) == [
        Tag(SCRIPT, 0, b"meta"),
        Tag(AUDIO, 2000, AAC_HEADER),
        Tag(VIDEO, 2000, AVC_HEADER),
    ]
    assert read_tags(feed.intake.header_tags(77)) == [
        Tag(SCRIPT, 0, b"meta"),
        Tag(AUDIO, 77, AAC_HEADER),
        Tag(VIDEO, 77, AVC_HEADER),
    ]


def test_a_changed_header_replaces_the_one_before(feed):
    start(feed)
    feed.intake.take_change()
    feed.audio(50, MONO)
    assert feed.intake.take_change()
    assert not feed.intake.take_change()
    feed.video(80, key(b"3"))
    assert headers_at_key(feed) == [Tag(AUDIO, 80, MONO), Tag(VIDEO, 80, AVC_HEADER)]
    assert feed.intake.config(AUDIO) == MONO
    assert Tag(AUDIO, 0, MONO) in log_tags(feed.intake.log)


def test_a_gop_keeps_the_headers_it_began_with(feed):
    start(feed)
    feed.audio(50, MONO)
    assert [tag.body for tag in headers_at_key(feed)] == [AAC_HEADER, AVC_HEADER]


def test_a_header_comes_at_the_present_of_its_track_whatever_time_it_says(feed):
    start(feed)
    feed.send(VIDEO, 0, AVC_HEADER, now_ms=60)
    feed.send(VIDEO, 2**31, AVC_HEADER, now_ms=60)
    feed.video(80, inter(b"3"))
    assert [tag.dts_ms for tag in after(feed, b"2")] == [40, 40, 80]
    assert (feed.intake.repairs, feed.intake.clamped) == (0, 0)


@pytest.mark.parametrize("reduce", [False, True])
def test_a_repeated_header_is_left_out_only_when_asked_for(reduce):
    feed = Feed(Intake(MediaLog(), reduce_headers=reduce))
    feed.intake.begin(10)
    start(feed)
    feed.video(60, AVC_HEADER)
    feed.audio(60, AAC_HEADER)
    feed.audio(60, MONO)
    bodies = [tag.body for tag in after(feed, b"2")]
    assert bodies == ([MONO] if reduce else [AVC_HEADER, AAC_HEADER, MONO])
    assert feed.intake.ignored == (2 if reduce else 0)


def test_each_track_has_a_header_of_its_own(feed):
    second = b"\x96\x00avc1\x01record"
    feed.video(0, b"\x90avc1record")
    feed.video(0, second)
    feed.video(0, b"\x94avc1\x02\0\x09colorInfo")
    feed.audio(0, b"\x90mp4a\x12\x10")
    feed.video(0, b"\x91avc1\0\0\0x")
    assert [tag.body for tag in headers_at_key(feed)] == [
        b"\x90mp4a\x12\x10",
        b"\x90avc1record",
        second,
        b"\x94avc1\x02\0\x09colorInfo",
    ]
    assert feed.intake.config(VIDEO) == b"\x90avc1record"


def test_the_channels_of_a_track_are_kept_besides_its_sequence_header(feed):
    config, channels = b"\x90mp4a\x12\x10", b"\x94mp4a\x01\x06\x00\x00\x00\x3f"
    feed.audio(0, config)
    feed.audio(0, channels)
    feed.audio(0, b"\x91mp4ax")
    assert [tag.body for tag in read_tags(feed.intake.header_tags(0))] == [config, channels]
    assert feed.intake.config(AUDIO) == config


def test_endless_tracks_do_not_take_endless_memory(feed):
    for track in range(256):
        feed.video(0, b"\x96\x00avc1" + bytes([track]))
    assert len(read_tags(feed.intake.header_tags(0))) == 24


def test_a_header_that_is_too_large_passes_and_is_not_remembered():
    feed = Feed(Intake(MediaLog(window_bytes=10**9, keep_ms=10**9)))
    feed.intake.begin(10)
    most = limits.HEADERS_BYTES_MAX
    fits, large = (AVC_HEADER.ljust(size, b"x") for size in (most, most + 1))
    feed.video(0, fits)
    feed.video(0, large)
    feed.video(0, key(b"1"))
    assert [tag.body for tag in log_tags(feed.intake.log)] == [fits, large, key(b"1")]
    assert [tag.body for tag in headers_at_key(feed)] == [fits]
    assert feed.intake.config(VIDEO) == fits
    assert feed.intake.has_video


def test_headers_that_are_too_large_together_are_not_all_remembered(feed):
    size = limits.HEADERS_BYTES_MAX // 4
    sent = [(b"\x96\x00avc1" + bytes([track])).ljust(size, b"x") for track in range(6)]
    for body in sent:
        feed.video(0, body)
    feed.video(0, sent[0][:-1] + b"y")
    feed.video(0, b"\x96\x01avc1\x00\0\0\0x")
    assert [tag.body for tag in headers_at_key(feed)] == [sent[0][:-1] + b"y", *sent[1:4]]


def test_the_newest_of_many_keys_in_one_read_has_the_headers_of_its_moment(feed):
    feed.intake.set_metadata(b"meta", 0)
    sent = [(AUDIO, 0, AAC_HEADER), (VIDEO, 0, AVC_HEADER)]
    sent += [(VIDEO, 40 * i, key()) for i in range(3)]
    before = b"".join(write_message(kind, time, 1, 4, body, 128) for kind, time, body in sent)
    feed.reader.feed(before)
    feed.intake.flush()
    old = [Tag(SCRIPT, 0, b"meta"), Tag(AUDIO, 80, AAC_HEADER), Tag(VIDEO, 80, AVC_HEADER)]
    assert headers_at_key(feed) == old
    for mark, rows in (
        (MONO, [(120, VIDEO, key()), (120, AUDIO, MONO), (160, VIDEO, key()), (200, VIDEO, key())]),
        (
            AAC_HEADER,
            [(240, VIDEO, key()), (280, VIDEO, key()), (280, AUDIO, AAC_HEADER), (320, VIDEO, key())],
        ),
    ):
        feed.reader.feed(b"".join(write_message(kind, time, 1, 4, body, 128) for time, kind, body in rows))
        feed.intake.flush()
        time = rows[-1][0]
        assert headers_at_key(feed) == [old[0], Tag(AUDIO, time, mark), Tag(VIDEO, time, AVC_HEADER)]
    feed.reader.feed(write_message(VIDEO, 360, 1, 4, key(), 128))
    feed.intake.set_metadata(b"newer", 0)
    feed.reader.feed(write_message(VIDEO, 400, 1, 4, key(), 128))
    feed.intake.flush()
    assert headers_at_key(feed)[0] == Tag(SCRIPT, 0, b"newer")


def test_only_a_key_of_the_default_track_is_a_place_to_start(feed):
    feed.video(0, b"\x96\x01avc1\x01\0\0\0x")
    assert feed.intake.log.key_pos == -1
    feed.video(0, b"\x96\x01avc1\x00\0\0\0x")
    assert feed.intake.log.key_pos > 0


# --- what is left out ---


@pytest.mark.parametrize("kind", [AUDIO, VIDEO])
def test_empty_messages_are_left_out(feed, kind):
    feed.send(kind, 0, b"")
    assert (feed.intake.ignored, feed.intake.log.head) == (1, 0)
    assert not feed.intake.has_audio
    assert not feed.intake.has_video


def test_the_four_zero_bytes_of_ffmpeg_are_left_out(feed):
    start(feed)
    feed.video(5000, bytes(4))
    feed.video(80, inter(b"3"))
    assert after(feed, b"2") == [Tag(VIDEO, 80, inter(b"3"))]
    assert feed.intake.ignored == 1


@given(st.sampled_from([AUDIO, VIDEO, AGGREGATE]), st.lists(st.binary(max_size=60), max_size=8))
def test_whatever_a_publisher_sends_the_log_is_whole_tags(kind, bodies):
    feed = Feed(Intake(MediaLog()))
    feed.intake.begin(10)
    for body in bodies:
        feed.send(kind, 0, body)
    sizes = sum(len(tag.body) + 15 for tag in log_tags(feed.intake.log))
    assert sizes == feed.intake.log.head


# --- aggregates ---


def test_an_aggregate_is_its_parts_at_its_own_time(feed):
    rows = [(VIDEO, 7000, key(b"1")), (AUDIO, 7010, sound(b"2")), (VIDEO, 7040, inter(b"3"))]
    feed.send(AGGREGATE, 500, aggregate(rows))
    feed.video(580, inter(b"4"))
    assert log_tags(feed.intake.log) == [
        Tag(VIDEO, 0, key(b"1")),
        Tag(AUDIO, 10, sound(b"2")),
        Tag(VIDEO, 40, inter(b"3")),
        Tag(VIDEO, 80, inter(b"4")),
    ]


@given(st.integers(0, 2**32 - 1))
def test_the_parts_of_an_aggregate_may_start_anywhere(origin):
    feed = Feed(Intake(MediaLog()))
    feed.intake.begin(10)
    rows = [(VIDEO, (origin + step) % 2**32, inter(bytes([step]))) for step in (0, 40, 80)]
    feed.send(AGGREGATE, 9, aggregate(rows))
    assert [tag.dts_ms for tag in log_tags(feed.intake.log)] == [0, 40, 80]


def test_an_aggregate_cut_short_gives_the_parts_that_are_whole(feed):
    body = aggregate([(VIDEO, 0, key(b"1")), (AUDIO, 10, sound(b"2"))])
    for size in range(len(body)):
        feed.send(AGGREGATE, 0, body[:size])
    assert {tag.body for tag in log_tags(feed.intake.log)} == {key(b"1"), sound(b"2")}


# --- a publisher that returns ---


def returned(feed: Feed) -> None:
    start(feed)
    feed.intake.forget_key()
    feed.intake.begin(GAP)


def test_a_returning_publisher_starts_with_its_first_key_behind_the_gap(feed):
    returned(feed)
    assert feed.intake.log.key_pos == -1
    feed.audio(9000, AAC_HEADER)
    feed.video(9000, AVC_HEADER)
    feed.audio(9000, sound(b"a"))
    feed.video(9000, inter(b"b"))
    feed.audio(9020, sound(b"c"))
    assert not feed.intake.open
    assert {tag.is_header for tag in after(feed, b"2")} == {True}
    feed.video(9040, key(b"d"))
    assert feed.intake.open
    feed.audio(9043, sound(b"e"))
    feed.video(9080, inter(b"f"))
    assert [(tag.mark, tag.dts_ms) for tag in after(feed, b"2") if not tag.is_header] == [
        (b"d", 40 + GAP),
        (b"e", 43 + GAP),
        (b"f", 80 + GAP),
    ]
    assert feed.intake.ignored == 3


def test_time_never_falls_when_a_publisher_returns(feed):
    returned(feed)
    start(feed, time=1)
    times = [tag.dts_ms for tag in log_tags(feed.intake.log)]
    assert times == sorted(times)


def test_headers_of_the_publisher_before_are_forgotten_when_the_new_one_starts(feed):
    start(feed)
    feed.intake.set_metadata(b"old", 0)
    feed.intake.begin(GAP)
    feed.video(0, HEVC_HEADER)
    feed.video(0, b"\x91hvc1\0\0\0x")
    assert [tag.body for tag in headers_at_key(feed)] == [HEVC_HEADER]
    assert feed.intake.video_codec == int.from_bytes(b"hvc1", "big")
    assert not feed.intake.has_audio
    assert feed.intake.config(AUDIO) is None


def test_a_publisher_that_returns_without_video_is_taken_after_half_a_second(feed):
    returned(feed)
    feed.audio(5000, AAC_HEADER)
    wait = limits.GATE_AUDIO_MS
    feed.audio(5000, sound(b"a"))
    feed.audio(5000 + wait - 1, sound(b"b"))
    assert not feed.intake.open
    feed.audio(5000 + wait, sound(b"c"))
    assert feed.intake.open
    assert [tag.mark for tag in after(feed, b"2") if not tag.is_header] == [b"c"]
    assert [tag.body for tag in read_tags(feed.intake.header_tags(0))] == [AAC_HEADER]
    assert not feed.intake.has_video


@pytest.mark.parametrize("had_video", [True, False])
def test_a_publisher_that_returns_with_a_video_header_and_no_picture_is_heard(feed, had_video):
    if had_video:
        start(feed)
    else:
        feed.audio(0, AAC_HEADER)
        feed.audio(40, sound(b"2"))
    feed.intake.begin(GAP)
    last = 5000 + limits.TRACK_LOST_MS
    feed.video(5000, AVC_HEADER)
    feed.audio(5000, AAC_HEADER)
    feed.audio(5000, sound(b"a"))
    feed.audio(last - 1, sound(b"b"))
    assert not feed.intake.open
    assert feed.intake.has_video
    feed.audio(last, sound(b"c"))
    assert feed.intake.open
    assert not feed.intake.has_video
    assert [tag.body for tag in read_tags(feed.intake.header_tags(0))] == [AAC_HEADER]
    feed.video(last + 20, AVC_HEADER)
    feed.video(last + 20, inter(b"d"))
    assert not feed.intake.has_video, "neither its header nor what refers to a picture before brings it back"
    feed.video(last + 40, key(b"e"))
    assert feed.intake.has_video
    assert [tag.mark for tag in after(feed, b"2") if not tag.is_header] == [b"c", b"e"]
    assert [tag.body for tag in headers_at_key(feed)] == [AAC_HEADER, AVC_HEADER]


def test_a_publisher_that_returns_to_sound_alone_is_taken_at_once(feed):
    feed.audio(0, AAC_HEADER)
    feed.audio(0, sound(b"2"))
    feed.intake.begin(GAP)
    feed.audio(0, AAC_HEADER)
    feed.audio(0, sound(b"b"))
    assert [tag.mark for tag in after(feed, b"2")][1:] == [b"b"]


def test_the_gate_holds_after_a_publisher_that_never_passed_it(feed):
    returned(feed)
    feed.audio(0, sound(b"a"))
    feed.intake.begin(GAP)
    feed.audio(0, sound(b"b"))
    feed.video(0, inter(b"c"))
    assert after(feed, b"2") == []
    feed.video(40, key(b"d"))
    assert [tag.mark for tag in after(feed, b"2")] == [b"d"]


def test_headers_of_a_publisher_that_sent_nothing_else_do_not_stay(feed):
    feed.video(0, AVC_HEADER)
    feed.intake.begin(GAP)
    feed.audio(0, AAC_HEADER)
    feed.audio(0, sound(b"a"))
    assert [tag.body for tag in read_tags(feed.intake.header_tags(0))] == [AAC_HEADER]


def test_other_script_data_waits_behind_the_gate(feed):
    returned(feed)
    feed.intake.add_script(b"cue", 0)
    feed.intake.flush()
    assert after(feed, b"2") == []
    feed.video(0, key(b"d"))
    feed.intake.add_script(b"cue", 0)
    feed.intake.flush()
    assert after(feed, b"d") == [Tag(SCRIPT, 40 + GAP, b"cue")]


# --- metadata through the stream ---


@pytest.fixture
def stream() -> Stream:
    stream = Stream(StreamName("__defaultVhost__", "live", "a"), StreamOptions(), id="vid-1", now_ms=0)
    stream.begin("p", 0)
    return stream


def take(stream: Stream, payload: bytes, name: str = "onMetaData") -> list[Tag]:
    stream.take_data(name, payload, 0)
    stream.intake.flush()
    return log_tags(stream.log)


def test_metadata_of_a_live_stream_has_no_end_and_names_the_server(stream):
    fields = {
        "width": 640.0,
        "duration": 12.0,
        "filesize": 5.0,
        "keyframes": {"times": [0.0]},
        "videocodecid": 7.0,
    }
    (tag,) = take(stream, amf0.encode("onMetaData", fields))
    name, values = amf0.decode_all(tag.body)
    assert name == "onMetaData"
    assert {key: values[key] for key in values if key != "server"} == {
        "width": 640.0,
        "videocodecid": 7.0,
        "hasVideo": True,
    }
    assert values["server"].startswith("fastflv/")
    assert stream.metadata == {"width": 640.0, "videocodecid": 7.0}
    assert read_tags(stream.intake.header_tags(5)) == [Tag(SCRIPT, 0, tag.body)]


def test_metadata_that_cannot_be_read_is_passed_on_as_it_is(stream):
    payload = amf0.encode("onMetaData") + b"\x03\x00"
    assert [tag.body for tag in take(stream, payload + b"\xff\xff")] == [payload + b"\xff\xff"]


def test_metadata_without_fields_is_no_harm(stream):
    (tag,) = take(stream, amf0.encode("onMetaData"))
    assert list(amf0.decode_all(tag.body)[1]) == ["server"]


def test_other_script_data_is_passed_on_and_not_kept(stream):
    payload = amf0.encode("onCuePoint", {"a": 1.0})
    assert [tag.body for tag in take(stream, payload, "onCuePoint")] == [payload]
    assert stream.intake.header_tags(0) == b""


def test_newer_metadata_replaces_the_one_before(stream):
    take(stream, amf0.encode("onMetaData", {"width": 1.0}))
    take(stream, amf0.encode("onMetaData", {"width": 2.0}))
    (tag,) = read_tags(stream.intake.header_tags(0))
    assert amf0.decode_all(tag.body)[1]["width"] == 2.0


def test_the_time_between_keyframes_is_known(feed):
    start(feed)
    assert (feed.intake.gop_least_ms, feed.intake.gop_ms) == (0, 0)
    for time in (2000, 4000, 5500, 8500):
        feed.video(time, key())
        feed.video(time + 40, inter())
    assert (feed.intake.gop_least_ms, feed.intake.gop_ms) == (1500, 3000)
    feed.intake.begin(GAP)
    assert (feed.intake.gop_least_ms, feed.intake.gop_ms) == (0, 0)
    feed.video(100_000, key())
    assert feed.intake.gop_ms == 0, "the gap between publishers is no GOP"
    feed.video(101_000, key())
    assert (feed.intake.gop_least_ms, feed.intake.gop_ms) == (1000, 1000)


def test_pictures_that_come_back_to_a_stream_of_sound_start_with_a_keyframe(feed):
    feed.audio(0, AAC_HEADER)
    feed.audio(0, sound(b"2"))
    feed.intake.begin(GAP)
    feed.audio(0, sound(b"a"))
    feed.video(0, AVC_HEADER)
    feed.video(0, inter(b"b"))
    feed.audio(20, sound(b"c"))
    feed.video(40, key(b"d"))
    assert [tag.mark for tag in after(feed, b"2") if not tag.is_header] == [b"a", b"c", b"d"]
