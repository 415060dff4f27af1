"""A publisher that returns to its writer: the gate, the gap, and the headers of who was there before."""

from __future__ import annotations

import pytest
from model.flv import (
    AAC_HEADER,
    AUDIO,
    AVC_HEADER,
    HEVC_HEADER,
    SCRIPT,
    Feed,
    Tag,
    inter,
    key,
    log_tags,
    read_tags,
    sound,
)
from model.streamwriter import GAP, after, headers_at_key, start

from fastflv import limits


def returned(feed: Feed) -> None:
    start(feed)
    feed.writer.forget_key()
    feed.writer.begin(GAP)


def test_a_returning_publisher_starts_with_its_first_key_behind_the_gap(feed):
    returned(feed)
    assert feed.writer.log.key_pos == -1
    feed.audio(9000, AAC_HEADER)
    feed.video(9000, AVC_HEADER)
    feed.audio(9000, sound(b"a"))
    feed.video(9000, inter(b"b"))
    feed.audio(9020, sound(b"c"))
    assert not feed.writer.open
    assert after(feed, b"2") == []
    feed.video(9040, key(b"d"))
    assert feed.writer.open
    feed.audio(9043, sound(b"e"))
    feed.video(9080, inter(b"f"))
    assert [(tag.mark, tag.dts_ms) for tag in after(feed, b"2") if not tag.is_header] == [
        (b"d", 40 + GAP),
        (b"e", 43 + GAP),
        (b"f", 80 + GAP),
    ]
    assert feed.writer.ignored == 3


def test_time_never_falls_when_a_publisher_returns(feed):
    returned(feed)
    start(feed, time=1)
    times = [tag.dts_ms for tag in log_tags(feed.writer.log)]
    assert times == sorted(times)


def test_headers_of_the_publisher_before_are_forgotten_when_the_new_one_starts(feed):
    start(feed)
    feed.writer.set_metadata(b"old", 0)
    feed.writer.begin(GAP)
    feed.video(0, HEVC_HEADER)
    feed.video(0, b"\x91hvc1\0\0\0x")
    assert [tag.body for tag in headers_at_key(feed)] == [HEVC_HEADER]
    assert feed.writer.video_codec == int.from_bytes(b"hvc1", "big")
    assert not feed.writer.has_audio
    assert feed.writer.config(AUDIO) is None


def test_a_publisher_that_returns_without_video_is_taken_after_half_a_second(feed):
    returned(feed)
    feed.audio(5000, AAC_HEADER)
    wait = limits.GATE_AUDIO_MS
    feed.audio(5000, sound(b"a"))
    feed.audio(5000 + wait - 1, sound(b"b"))
    assert not feed.writer.open
    feed.audio(5000 + wait, sound(b"c"))
    assert feed.writer.open
    assert [tag.mark for tag in after(feed, b"2") if not tag.is_header] == [b"c"]
    assert [tag.body for tag in read_tags(feed.writer.header_tags(0))] == [AAC_HEADER]
    assert not feed.writer.has_video


@pytest.mark.parametrize("had_video", [True, False])
def test_a_publisher_that_returns_with_a_video_header_and_no_picture_is_heard(feed, had_video):
    if had_video:
        start(feed)
    else:
        feed.audio(0, AAC_HEADER)
        feed.audio(40, sound(b"2"))
    feed.writer.begin(GAP)
    last = 5000 + limits.GATE_AUDIO_MS
    feed.video(5000, AVC_HEADER)
    feed.audio(5000, AAC_HEADER)
    feed.audio(5000, sound(b"a"))
    feed.audio(last - 1, sound(b"b"))
    assert not feed.writer.open
    feed.audio(last, sound(b"c"))
    assert feed.writer.open
    assert not feed.writer.has_video
    assert [tag.body for tag in read_tags(feed.writer.header_tags(0))] == [AAC_HEADER]
    feed.video(last + 20, AVC_HEADER)
    feed.video(last + 20, inter(b"d"))
    assert not feed.writer.has_video, "neither its header nor what refers to a picture before begins it"
    feed.video(last + 40, key(b"e"))
    assert feed.writer.has_video
    assert [tag.mark for tag in after(feed, b"2") if not tag.is_header] == [b"c", b"e"]
    assert [tag.body for tag in headers_at_key(feed)] == [AAC_HEADER, AVC_HEADER]


def test_a_publisher_that_returns_to_sound_alone_is_taken_at_once(feed):
    feed.audio(0, AAC_HEADER)
    feed.audio(0, sound(b"2"))
    feed.writer.begin(GAP)
    feed.audio(0, AAC_HEADER)
    feed.audio(0, sound(b"b"))
    assert [tag.mark for tag in after(feed, b"2")][1:] == [b"b"]


def test_the_gate_holds_after_a_publisher_that_never_passed_it(feed):
    returned(feed)
    feed.audio(0, sound(b"a"))
    feed.writer.begin(GAP)
    feed.audio(0, sound(b"b"))
    feed.video(0, inter(b"c"))
    assert after(feed, b"2") == []
    feed.video(40, key(b"d"))
    assert [tag.mark for tag in after(feed, b"2")] == [b"d"]


def test_headers_of_a_publisher_that_sent_nothing_else_do_not_stay(feed):
    feed.video(0, AVC_HEADER)
    feed.writer.begin(GAP)
    feed.audio(0, AAC_HEADER)
    feed.audio(0, sound(b"a"))
    assert [tag.body for tag in read_tags(feed.writer.header_tags(0))] == [AAC_HEADER]


def test_other_script_data_waits_behind_the_gate(feed):
    returned(feed)
    feed.writer.add_script(b"cue", 0)
    feed.writer.flush()
    assert after(feed, b"2") == []
    feed.video(0, key(b"d"))
    feed.writer.add_script(b"cue", 0)
    feed.writer.flush()
    assert after(feed, b"d") == [Tag(SCRIPT, 40 + GAP, b"cue")]


def test_pictures_that_come_back_to_a_stream_of_sound_start_with_a_keyframe(feed):
    feed.audio(0, AAC_HEADER)
    feed.audio(0, sound(b"2"))
    feed.writer.begin(GAP)
    feed.audio(0, sound(b"a"))
    feed.video(0, AVC_HEADER)
    feed.video(0, inter(b"b"))
    feed.audio(20, sound(b"c"))
    feed.video(40, key(b"d"))
    assert [tag.mark for tag in after(feed, b"2") if not tag.is_header] == [b"a", b"c", b"d"]
