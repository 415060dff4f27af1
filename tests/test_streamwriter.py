"""The writer behind a chunk reader: what a publisher sends, and what of it is in the log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.flv import (
    AAC_HEADER,
    AGGREGATE,
    AUDIO,
    AVC_HEADER,
    SCRIPT,
    VIDEO,
    Feed,
    Tag,
    aggregate,
    inter,
    key,
    log_tags,
    sound,
)
from model.streamwriter import GAP, after, start

from fastflv import limits
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog


def test_media_comes_out_byte_for_byte_at_a_time_that_starts_at_zero(feed):
    start(feed, time=123456)
    assert log_tags(feed.writer.log) == [
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
    feed = Feed(StreamWriter(MediaLog()))
    feed.writer.begin(10)
    feed.send(AUDIO, origin, sound(b"first"), now_ms=0)
    time = 0
    sent = [(AUDIO, sound(b"first"))]
    for (kind, body), step in rows:
        feed.send(kind, origin + time, body, now_ms=time)
        sent.append((kind, body))
        time += step
    tags = log_tags(feed.writer.log)
    assert [(tag.kind, tag.body) for tag in tags] == sent
    assert feed.writer.bytes == sum(len(body) for _, body in sent)
    assert feed.writer.video_tags == sum(kind == VIDEO for kind, _ in sent)
    assert feed.writer.audio_tags == sum(kind == AUDIO and body != AAC_HEADER for kind, body in sent)


def test_nothing_is_seen_before_flush():
    writer = StreamWriter(MediaLog())
    writer.begin(10)
    writer.set_metadata(b"x", 0)
    assert writer.log.head == 0
    writer.flush()
    assert log_tags(writer.log) == [Tag(SCRIPT, 0, b"x")]
    head = writer.log.head
    writer.flush()
    assert writer.log.head == head


def test_the_time_between_keyframes_is_known(feed):
    start(feed)
    assert (feed.writer.gop_least_ms, feed.writer.gop_ms) == (0, 0)
    for time in (2000, 4000, 5500, 8500):
        feed.video(time, key())
        feed.video(time + 40, inter())
    assert (feed.writer.gop_least_ms, feed.writer.gop_ms) == (1500, 3000)
    feed.writer.begin(GAP)
    assert (feed.writer.gop_least_ms, feed.writer.gop_ms) == (0, 0)
    feed.video(100_000, key())
    assert feed.writer.gop_ms == 0, "the gap between publishers is no GOP"
    feed.video(101_000, key())
    assert (feed.writer.gop_least_ms, feed.writer.gop_ms) == (1000, 1000)


# --- what is left out ---


@pytest.mark.parametrize("kind", [AUDIO, VIDEO])
def test_empty_messages_are_left_out(feed, kind):
    feed.send(kind, 0, b"")
    assert (feed.writer.ignored, feed.writer.log.head) == (1, 0)
    assert not feed.writer.has_audio
    assert not feed.writer.has_video


def test_the_four_zero_bytes_of_ffmpeg_are_left_out(feed):
    start(feed)
    feed.video(5000, bytes(4))
    feed.video(80, inter(b"3"))
    assert after(feed, b"2") == [Tag(VIDEO, 80, inter(b"3"))]
    assert feed.writer.ignored == 1


@given(st.sampled_from([AUDIO, VIDEO, AGGREGATE]), st.lists(st.binary(max_size=60), max_size=8))
def test_whatever_a_publisher_sends_the_log_is_whole_tags(kind, bodies):
    feed = Feed(StreamWriter(MediaLog()))
    feed.writer.begin(10)
    for body in bodies:
        feed.send(kind, 0, body)
    sizes = sum(len(tag.body) + 15 for tag in log_tags(feed.writer.log))
    assert sizes == feed.writer.log.head


# --- aggregates ---


def test_an_aggregate_is_its_parts_at_its_own_time(feed):
    rows = [(VIDEO, 7000, key(b"1")), (AUDIO, 7010, sound(b"2")), (VIDEO, 7040, inter(b"3"))]
    feed.send(AGGREGATE, 500, aggregate(rows))
    feed.video(580, inter(b"4"))
    assert log_tags(feed.writer.log) == [
        Tag(VIDEO, 0, key(b"1")),
        Tag(AUDIO, 10, sound(b"2")),
        Tag(VIDEO, 40, inter(b"3")),
        Tag(VIDEO, 80, inter(b"4")),
    ]


@given(st.integers(0, 2**32 - 1))
def test_the_parts_of_an_aggregate_may_start_anywhere(origin):
    feed = Feed(StreamWriter(MediaLog()))
    feed.writer.begin(10)
    rows = [(VIDEO, (origin + step) % 2**32, inter(bytes([step]))) for step in (0, 40, 80)]
    feed.send(AGGREGATE, 9, aggregate(rows))
    assert [tag.dts_ms for tag in log_tags(feed.writer.log)] == [0, 40, 80]


def test_an_aggregate_of_endless_parts_gives_a_bounded_number(feed):
    feed.send(AGGREGATE, 0, aggregate([(AUDIO, 0, sound(b"x"))] * 20_000))
    assert len(log_tags(feed.writer.log)) == limits.AGGREGATE_PARTS_MAX


def test_an_aggregate_cut_short_gives_the_parts_that_are_whole(feed):
    body = aggregate([(VIDEO, 0, key(b"1")), (AUDIO, 10, sound(b"2"))])
    for size in range(len(body)):
        feed.send(AGGREGATE, 0, body[:size])
    assert {tag.body for tag in log_tags(feed.writer.log)} == {key(b"1"), sound(b"2")}


FRAMES = st.tuples(st.sampled_from([AUDIO, VIDEO]), st.integers(0, 200))


@given(
    st.lists(st.one_of(FRAMES, st.sampled_from([0, 1, 2])), min_size=1, max_size=40),
    st.sampled_from([0, 2**31 - 1000, 2**32 - 1000]),
)
def test_the_repair_of_timestamps_may_change_at_any_tag(rows, origin):
    """Repaired times never go back, and steps stay as sent; without a repair times are as sent."""
    feed = Feed(StreamWriter(MediaLog(keep_ms=1 << 60, history_bytes=1 << 60)))
    feed.writer.begin(10)
    mode, now, last, changes = 0, 0, {}, 1
    for row in rows:
        if isinstance(row, int):
            changes += (mode == 2) != (row == 2)
            mode = feed.writer.jitter = row
            assert feed.writer.jitter == row
            continue
        kind, step = row
        now += step
        before = log_tags(feed.writer.log)
        feed.send(kind, (origin + now) % 2**32, sound() if kind == AUDIO else key(), now_ms=now)
        dts = feed.writer.log.tags()[-1][2]
        assert len(log_tags(feed.writer.log)) == len(before) + 1
        if mode == 2:
            assert dts == (origin + now) % 2**32
        elif changes and before:
            # Each return to a repair steps on from the times that were passed through.
            assert 0 <= dts - feed.writer.log.tags()[-2][2] <= limits.TIME_FIRST_STEP_MS * changes
        elif last:
            assert dts - last["dts"] == now - last["now"]
        last = {"dts": dts, "now": now}
        changes = 0


def test_a_writer_tells_the_bytes_of_sound_and_the_smallest_picture_since_the_last_question(feed):
    start(feed)
    feed.writer.take_least_picture()
    before = feed.writer.sound_bytes
    for size in (900, 300, 5000):
        feed.video(1000, inter(bytes(size)))
        feed.audio(1000, sound(bytes(100)))
    feed.video(1000, AVC_HEADER)
    assert feed.writer.take_least_picture() == len(inter(bytes(300)))
    assert feed.writer.take_least_picture() == 0
    assert feed.writer.sound_bytes - before == 3 * len(sound(bytes(100)))
