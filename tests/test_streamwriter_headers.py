"""Headers and metadata in the writer: what a joining player gets, what replaces what, and what bounds it."""

from __future__ import annotations

import pytest
from model.flv import (
    AAC_HEADER,
    AUDIO,
    AVC_HEADER,
    SCRIPT,
    VIDEO,
    Feed,
    Tag,
    inter,
    key,
    log_tags,
    read_tags,
    sound,
)
from model.streamwriter import MONO, after, headers_at_key, start

from fastflv import limits
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog
from fastflv.media.amf import amf0
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions


def test_a_joining_player_gets_metadata_then_audio_then_video_headers_at_the_time_of_the_key(feed):
    # With a time of its own metadata would be a subtitle to FFmpeg.
    feed.writer.set_metadata(b"meta", 0)
    feed.video(1000, AVC_HEADER)
    feed.audio(1000, AAC_HEADER)
    feed.audio(1000, sound())
    feed.video(1000, key())
    feed.video(3000, key())
    assert headers_at_key(feed) == [
        Tag(SCRIPT, 0, b"meta"),
        Tag(AUDIO, 2000, AAC_HEADER),
        Tag(VIDEO, 2000, AVC_HEADER),
    ]
    assert read_tags(feed.writer.header_tags(77)) == [
        Tag(SCRIPT, 0, b"meta"),
        Tag(AUDIO, 77, AAC_HEADER),
        Tag(VIDEO, 77, AVC_HEADER),
    ]


def test_a_changed_header_replaces_the_one_before(feed):
    start(feed)
    feed.audio(50, MONO)
    feed.video(80, key(b"3"))
    assert headers_at_key(feed) == [Tag(AUDIO, 80, MONO), Tag(VIDEO, 80, AVC_HEADER)]
    assert feed.writer.config(AUDIO) == MONO
    assert Tag(AUDIO, 0, MONO) in log_tags(feed.writer.log)


def test_a_header_behind_the_first_key_is_in_the_log_once_before_the_first_frame_of_its_track(feed):
    # Nobody plays yet, and who records reads the log alone.
    feed.video(0, AVC_HEADER)
    feed.video(0, key(b"1"))
    feed.audio(0, AAC_HEADER)
    feed.audio(0, AAC_HEADER)
    feed.video(40, inter(b"2"))
    assert [tag.body for tag in after(feed, b"1")] == [inter(b"2")]
    feed.audio(40, sound(b"3"))
    feed.audio(80, sound(b"4"))
    assert [tag.body for tag in after(feed, b"2")] == [AAC_HEADER, sound(b"3"), sound(b"4")]
    assert headers_at_key(feed) == [Tag(AUDIO, 0, AAC_HEADER), Tag(VIDEO, 0, AVC_HEADER)]


def test_a_header_before_the_first_key_is_in_the_log_once(feed):
    start(feed)
    assert [tag.body for tag in log_tags(feed.writer.log)].count(AAC_HEADER) == 1


def test_headers_of_now_join_those_of_another_moment(feed):
    start(feed)
    then = feed.writer.header_tags(0)
    feed.audio(50, MONO)
    feed.writer.set_metadata(b"meta", 0)
    now = [Tag(SCRIPT, 0, b"meta"), Tag(AUDIO, 7, MONO), Tag(VIDEO, 7, AVC_HEADER)]
    assert read_tags(feed.writer.headers_since(b"", 7)) == now
    # A track keeps the headers that it had.
    assert read_tags(feed.writer.headers_since(then, 7)) == [now[0], *read_tags(then)]


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
    assert feed.writer.repairs == 0


@pytest.mark.parametrize("reduce", [False, True])
def test_a_repeated_header_is_left_out_only_when_asked_for(reduce):
    feed = Feed(StreamWriter(MediaLog(), reduce_headers=reduce))
    feed.writer.begin(10)
    start(feed)
    feed.video(60, AVC_HEADER)
    feed.audio(60, AAC_HEADER)
    feed.audio(60, MONO)
    bodies = [tag.body for tag in after(feed, b"2")]
    assert bodies == ([MONO] if reduce else [AVC_HEADER, AAC_HEADER, MONO])
    assert feed.writer.ignored == (2 if reduce else 0)


def test_each_track_has_a_header_of_its_own(feed):
    second = b"\x96\x00avc1\x01record"
    feed.video(0, b"\x90avc1record")
    feed.video(0, second)
    feed.video(0, b"\x94avc1\x02\0\x09colorInfo")
    feed.audio(0, b"\x90mp4a\x12\x10")
    feed.audio(0, b"\x91mp4ax")
    feed.video(0, b"\x91avc1\0\0\0x")
    assert [tag.body for tag in headers_at_key(feed)] == [
        b"\x90mp4a\x12\x10",
        b"\x90avc1record",
        second,
        b"\x94avc1\x02\0\x09colorInfo",
    ]
    assert feed.writer.config(VIDEO) == b"\x90avc1record"


def test_the_channels_of_a_track_are_kept_besides_its_sequence_header(feed):
    config, channels = b"\x90mp4a\x12\x10", b"\x94mp4a\x01\x06\x00\x00\x00\x3f"
    feed.audio(0, config)
    feed.audio(0, channels)
    feed.audio(0, b"\x91mp4ax")
    assert [tag.body for tag in read_tags(feed.writer.header_tags(0))] == [config, channels]
    assert feed.writer.config(AUDIO) == config


def test_endless_tracks_do_not_take_endless_memory(feed):
    for track in range(256):
        feed.video(0, b"\x96\x00avc1" + bytes([track]))
    feed.video(0, key())
    assert len(read_tags(feed.writer.header_tags(0))) == 24


def test_a_header_that_is_too_large_passes_and_is_not_remembered():
    feed = Feed(StreamWriter(MediaLog(history_bytes=10**9, keep_ms=10**9)))
    feed.writer.begin(10)
    most = limits.HEADERS_BYTES_MAX
    fits, large = (AVC_HEADER.ljust(size, b"x") for size in (most, most + 1))
    feed.video(0, fits)
    feed.video(0, large)
    feed.video(0, key(b"1"))
    assert [tag.body for tag in log_tags(feed.writer.log)] == [fits, large, key(b"1")]
    assert [tag.body for tag in headers_at_key(feed)] == [fits]
    assert feed.writer.config(VIDEO) == fits
    assert feed.writer.has_video


def test_headers_that_are_too_large_together_are_not_all_remembered(feed):
    size = limits.HEADERS_BYTES_MAX // 4
    sent = [(b"\x96\x00avc1" + bytes([track])).ljust(size, b"x") for track in range(6)]
    for body in sent:
        feed.video(0, body)
    feed.video(0, sent[0][:-1] + b"y")
    feed.video(0, b"\x96\x01avc1\x00\0\0\0x")
    assert [tag.body for tag in headers_at_key(feed)] == [sent[0][:-1] + b"y", *sent[1:4]]


def test_the_newest_of_many_keys_in_one_read_has_the_headers_of_its_moment(feed):
    feed.writer.set_metadata(b"meta", 0)
    sent = [(AUDIO, 0, AAC_HEADER), (AUDIO, 0, sound()), (VIDEO, 0, AVC_HEADER)]
    sent += [(VIDEO, 40 * i, key()) for i in range(3)]
    before = b"".join(write_message(kind, time, 1, 4, body, 128) for kind, time, body in sent)
    feed.reader.feed(before)
    feed.writer.flush()
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
        feed.writer.flush()
        time = rows[-1][0]
        assert headers_at_key(feed) == [old[0], Tag(AUDIO, time, mark), Tag(VIDEO, time, AVC_HEADER)]
    feed.reader.feed(write_message(VIDEO, 360, 1, 4, key(), 128))
    feed.writer.set_metadata(b"newer", 0)
    feed.reader.feed(write_message(VIDEO, 400, 1, 4, key(), 128))
    feed.writer.flush()
    assert headers_at_key(feed)[0] == Tag(SCRIPT, 0, b"newer")


@pytest.mark.parametrize("changes", [1, limits.KEY_HEADERS_MAX, limits.KEY_HEADERS_MAX + 1, 1000])
def test_headers_that_change_behind_each_key_of_a_read_are_copied_a_few_times(feed, changes):
    feed.video(0, AVC_HEADER)
    headers = [AVC_HEADER + number.to_bytes(2, "big") for number in range(changes + 1)]
    for turn in range(2):
        rows = [headers[0]] + [row for header in headers[1:] for row in (key(), header)]
        feed.reader.feed(b"".join(write_message(VIDEO, 40 * turn, 1, 4, body, 128) for body in rows))
        feed.writer.flush()
        # Beyond the bound a key is given the headers of the end of the read.
        newest = headers[-2] if changes <= limits.KEY_HEADERS_MAX else headers[-1]
        assert headers_at_key(feed) == [Tag(VIDEO, 40 * turn, newest)]


def test_only_a_key_of_the_default_track_is_a_place_to_start(feed):
    feed.video(0, b"\x96\x01avc1\x01\0\0\0x")
    assert feed.writer.log.key_pos == -1
    feed.video(0, b"\x96\x01avc1\x00\0\0\0x")
    assert feed.writer.log.key_pos > 0


# --- metadata through the stream ---


@pytest.fixture
def stream() -> Stream:
    stream = Stream(StreamName("__defaultVhost__", "live", "a"), StreamOptions(), id="vid-1", now_ms=0)
    stream.begin("p", 0)
    return stream


def take(stream: Stream, payload: bytes, name: str = "onMetaData") -> list[Tag]:
    stream.take_data(name, payload, 0)
    stream.writer.flush()
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
    assert read_tags(stream.writer.header_tags(5)) == [Tag(SCRIPT, 0, tag.body)]


def test_metadata_that_cannot_be_read_is_passed_on_as_it_is(stream):
    payload = amf0.encode("onMetaData") + b"\x03\x00"
    assert [tag.body for tag in take(stream, payload + b"\xff\xff")] == [payload + b"\xff\xff"]


def test_metadata_without_fields_is_no_harm(stream):
    (tag,) = take(stream, amf0.encode("onMetaData"))
    assert list(amf0.decode_all(tag.body)[1]) == ["server"]


def test_other_script_data_is_passed_on_and_not_kept(stream):
    payload = amf0.encode("onCuePoint", {"a": 1.0})
    assert [tag.body for tag in take(stream, payload, "onCuePoint")] == [payload]
    assert stream.writer.header_tags(0) == b""


def test_newer_metadata_replaces_the_one_before(stream):
    take(stream, amf0.encode("onMetaData", {"width": 1.0}))
    take(stream, amf0.encode("onMetaData", {"width": 2.0}))
    (tag,) = read_tags(stream.writer.header_tags(0))
    assert amf0.decode_all(tag.body)[1]["width"] == 2.0
