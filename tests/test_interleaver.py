"""Sound and pictures that come out in the order of their times, whichever of them arrives late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.flv import (
    AAC_HEADER,
    AUDIO,
    AVC_HEADER,
    HEVC_HEADER,
    VIDEO,
    Feed,
    Tag,
    inter,
    key,
    log_tags,
    sound,
)
from model.streamwriter import GAP

from fastflv import limits
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog

OFF = 2
"Times as they were sent."


@pytest.fixture
def feed() -> Feed:
    return ordered()


def ordered(jitter: int = OFF) -> Feed:
    feed = Feed(
        StreamWriter(MediaLog(keep_ms=1 << 60, history_bytes=1 << 60), jitter=jitter, interleave=True)
    )
    feed.writer.begin(GAP)
    return feed


def rows(feed: Feed) -> list[tuple[int, int]]:
    """Kind and time of each tag in the log."""
    return [(tag.kind, tag.dts_ms) for tag in log_tags(feed.writer.log)]


def late_sound(delay_ms: int, until_ms: int = 4000) -> list[tuple[int, int]]:
    """A stream as it arrives: sound is *delay_ms* behind pictures, below 0 ahead of them."""
    sent = [(time, VIDEO, time) for time in range(0, until_ms, 40)]
    sent += [(time + delay_ms, AUDIO, time) for time in range(3, until_ms, 23)]
    return [(kind, time) for _, kind, time in sorted(sent)]


def send(feed: Feed, messages: list[tuple[int, int]]) -> None:
    for kind, time in messages:
        feed.send(kind, time, key() if kind == VIDEO else sound())


@pytest.mark.parametrize("delay_ms", [-450, -100, 0, 100, 450])
def test_what_is_late_comes_out_in_the_order_of_its_time(feed, delay_ms):
    messages = late_sound(delay_ms)
    assert delay_ms == 0 or messages != sorted(messages, key=lambda row: row[1])
    send(feed, messages)
    feed.writer.finish()
    feed.writer.flush()
    times = [time for _, time in rows(feed)]
    assert times == sorted(times)
    assert sorted(rows(feed)) == sorted(messages)


def test_without_the_setting_media_is_written_as_it_arrives():
    feed = Feed(StreamWriter(MediaLog(), jitter=OFF))
    feed.writer.begin(GAP)
    messages = late_sound(100, 400)
    send(feed, messages)
    assert rows(feed) == messages


def test_what_is_too_late_is_not_waited_for(feed):
    messages = late_sound(limits.INTERLEAVE_MS + 100)
    send(feed, messages)
    feed.writer.finish()
    feed.writer.flush()
    assert rows(feed) == messages


@pytest.mark.parametrize("kind", [AUDIO, VIDEO])
def test_a_stream_of_one_kind_waits_for_the_other_once(feed, kind):
    body = sound() if kind == AUDIO else key()
    for time in range(0, 3000, 20):
        feed.send(kind, time, body)
        assert len(rows(feed)) == (0 if time < limits.INTERLEAVE_MS else 1 + time // 20)


def test_a_kind_that_ends_is_not_waited_for(feed):
    send(feed, late_sound(0, 2000))
    for time in range(2000, 4000, 40):
        feed.video(time, key())
    assert rows(feed)[-1] == (VIDEO, 3960)


def test_headers_stay_before_the_frames_that_they_are_for(feed):
    feed.video(0, AVC_HEADER)
    feed.audio(0, AAC_HEADER)
    feed.video(1000, key(b"1"))
    feed.video(1040, inter(b"2"))
    feed.video(0, HEVC_HEADER)
    feed.video(1080, key(b"3"))
    feed.audio(1010, sound(b"a"))
    feed.audio(1100, sound(b"b"))
    feed.writer.finish()
    feed.writer.flush()
    tags = log_tags(feed.writer.log)
    bodies = [tag.body for tag in tags if tag.kind == VIDEO]
    assert bodies == [AVC_HEADER, key(b"1"), inter(b"2"), HEVC_HEADER, key(b"3")]
    assert [tag.mark for tag in tags if tag.dts_ms >= 1000] == [b"1", b"a", b"2", b"3", b"b"]


def test_the_order_goes_on_over_a_wrap():
    feed = ordered(jitter=0)
    messages = late_sound(100)
    send(feed, [(kind, (2**32 - 500 + time) % 2**32) for kind, time in messages])
    feed.writer.finish()
    feed.writer.flush()
    assert [time for _, time in rows(feed)] == sorted(time for _, time in messages)


def test_the_order_goes_on_after_a_jump(feed):
    messages = [*late_sound(100, 2000), *((kind, time + 900_000) for kind, time in late_sound(100, 2000))]
    send(feed, messages)
    feed.writer.finish()
    feed.writer.flush()
    assert sorted(rows(feed)) == sorted(messages)
    # Behind the jump nobody knows yet whether there is sound.
    times = [time for _, time in rows(feed) if time > 900_200]
    assert times == sorted(times)


def test_memory_is_bounded_in_bytes(feed):
    size = limits.INTERLEAVE_BYTES_MAX // 4
    feed.video(0, key())
    for time in range(1, 10):
        feed.video(time, key(bytes(size)))
        assert time - len(rows(feed)) <= 4
    assert len(rows(feed)) >= 5


def test_memory_is_bounded_in_messages(feed):
    for _ in range(limits.INTERLEAVE_MESSAGES_MAX):
        feed.video(1, key())
    assert rows(feed) == []
    feed.video(1, key())
    assert len(rows(feed)) == limits.INTERLEAVE_MESSAGES_MAX


def test_a_publisher_that_begins_has_nothing_of_the_one_before(feed):
    feed.video(0, key(b"old"))
    feed.writer.finish()
    feed.video(40, key(b"waits"))
    feed.writer.begin(GAP)
    feed.video(0, key(b"new"))
    feed.writer.finish()
    feed.writer.flush()
    assert [tag.mark for tag in log_tags(feed.writer.log)] == [b"old", b"new"]


def test_the_setting_acts_while_a_publisher_sends(feed):
    send(feed, late_sound(100, 1000))
    feed.writer.interleave = False
    feed.writer.flush()
    assert sorted(rows(feed)) == sorted(late_sound(100, 1000))
    later = [(kind, time + 2000) for kind, time in late_sound(100, 1000)]
    send(feed, later)
    assert rows(feed)[-len(later) :] == later
    feed.writer.interleave = True
    last = [(kind, time + 4000) for kind, time in late_sound(100, 1000)]
    send(feed, last)
    feed.writer.finish()
    feed.writer.flush()
    assert [time for _, time in rows(feed)[-len(last) :]] == sorted(time for _, time in last)


@given(st.lists(st.tuples(st.sampled_from([AUDIO, VIDEO]), st.integers(0, 2000)), max_size=60))
def test_nothing_is_lost_and_each_kind_keeps_its_order(messages):
    feed = ordered()
    for number, (kind, time) in enumerate(messages):
        mark = str(number).encode()
        feed.send(kind, time, key(mark) if kind == VIDEO else sound(mark), now_ms=number)
    feed.writer.finish()
    feed.writer.flush()
    tags: list[Tag] = log_tags(feed.writer.log)
    for kind in (AUDIO, VIDEO):
        sent = [number for number, (each, _) in enumerate(messages) if each == kind]
        assert [int(tag.mark) for tag in tags if tag.kind == kind] == sent
