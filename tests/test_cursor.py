"""A reader of a log on the event loop: every byte once, whole tags, and a jump where it lags."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model.flv import (
    AAC_HEADER,
    AUDIO,
    AVC_HEADER,
    VIDEO,
    Feed,
    dechunk,
    inter,
    key,
    log_tags,
    read_tags,
    sound,
)

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv._ext.fanout.framing import frame_ends
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog
from fastflv.errors import UsageError

RAW, CHUNKED, WEBSOCKET = 0, 1, 2
SIZES = st.integers(0, 400) | st.sampled_from([120, 121, 126, 65_520, 65_521, 65_536, 300_000, 1_200_000])


def messages(wire: bytes) -> list[bytes]:
    """The payloads of whole unmasked binary messages, in the shortest form of their length."""
    found = []
    while wire:
        assert wire[0] == 0x82
        size, head = wire[1], 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, head = int.from_bytes(wire[2 : 2 + width], "big"), 2 + width
            assert size > (125 if width == 2 else 0xFFFF)
        assert len(wire) >= head + size
        found.append(wire[head : head + size])
        wire = wire[head + size :]
    return found


def framed(framing: int, content: bytes) -> bytes:
    head, tail = frame_ends(framing, len(content))
    return head + content + tail


def unframed(framing: int, wire: bytes) -> bytes:
    if framing == CHUNKED:
        return dechunk(wire)[0]
    return b"".join(messages(wire)) if framing == WEBSOCKET else wire


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.booleans(), SIZES, st.integers(0, 3)), max_size=30),
    st.sampled_from([RAW, CHUNKED, WEBSOCKET]),
)
def test_cursors_that_keep_up_are_given_every_byte_once(rows, framing):
    log = MediaLog(keep_ms=10**9, history_bytes=10**9)
    log.append(VIDEO, 0, key())
    # One that reads each time, one that reads now and then: they meet and share, or do not.
    eager, lazy = (Cursor(log, position=0, framing=framing) for _ in range(2))
    taken = {eager: [], lazy: []}
    for time, (is_key, size, turn) in enumerate(rows):
        log.append(VIDEO, time, (key() if is_key else inter()) + bytes(size))
        for cursor in (eager, lazy) if turn == 0 else (eager,):
            taken[cursor] += iter(cursor.take, b"")
    for cursor, parts in taken.items():
        parts += iter(cursor.take, b"")
        for part in parts:
            # Each of them is whole tags: between two of them anything may be said.
            assert read_tags(unframed(framing, part))
            assert len(part) <= max(limits.LOOP_SEND_BYTES_MAX + 20, 1_200_060)
        assert unframed(framing, b"".join(parts)) == log.read(0, log.head)
        assert (cursor.jumps, cursor.position) == (0, log.head)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 0xFFFF, 0x10000])
def test_a_frame_is_in_its_shortest_form(size):
    content = bytes(size)
    assert framed(RAW, content) == content
    assert messages(framed(WEBSOCKET, content)) == [content] * (size > 0)
    assert dechunk(framed(CHUNKED, content)) == (content, False)


def test_cursors_at_the_same_place_are_given_the_same_object():
    log = MediaLog()
    log.append(VIDEO, 0, key())
    first, second, other = (Cursor(log, position=0, framing=how) for how in (CHUNKED, CHUNKED, RAW))
    assert first.take() is second.take()
    assert other.take() == log.read(0, log.head)


def film(feed: Feed, first: int, last: int, gop: int = 10) -> None:
    """Pictures *first* to *last*, 100 ms apart, each of 1000 bytes and marked with its number."""
    for i in range(first, last):
        mark = i.to_bytes(4, "big") + bytes(1000)
        feed.video(100 * i, key(mark) if i % gop == 0 else inter(mark))


def started(**bounds: int) -> tuple[MediaLog, Feed]:
    log = MediaLog(**bounds)
    feed = Feed(StreamWriter(log))
    feed.writer.begin(0)
    feed.audio(0, AAC_HEADER)
    feed.video(0, AVC_HEADER)
    return log, feed


def numbers(wire: bytes) -> list[int]:
    return [int.from_bytes(tag.mark[:4], "big") for tag in read_tags(wire) if not tag.is_header]


def test_a_cursor_that_lags_goes_on_at_the_newest_keyframe_behind_its_headers():
    log, feed = started()
    film(feed, 0, 3)
    cursor = Cursor(log, position=log.head, jump_ms=1000)
    film(feed, 3, 27)
    wire = cursor.take()
    assert [tag.body for tag in read_tags(wire)[:2]] == [
        AVC_HEADER,
        key((20).to_bytes(4, "big") + bytes(1000)),
    ]
    assert numbers(wire) == list(range(20, 27))
    assert cursor.jumps == 1
    # In the newest GOP already there is nothing to gain, however late it is.
    slow = Cursor(log, position=log.key_pos, jump_ms=0)
    assert numbers(slow.take()) == list(range(20, 27))
    assert slow.jumps == 0


def test_a_cursor_that_was_trimmed_away_from_goes_on_at_a_keyframe():
    log, feed = started(history_ms=500, history_bytes=10**9)
    film(feed, 0, 1)
    cursor = Cursor(log, position=log.head, jump_ms=10**9)
    film(feed, 1, 500)
    assert log.tail > cursor.position
    assert numbers(cursor.take()) == list(range(490, 500))
    assert cursor.jumps == 1


def test_without_a_keyframe_to_go_to_it_waits_for_the_next():
    log, feed = started()
    film(feed, 0, 5)
    cursor = Cursor(log)
    lagging = Cursor(log, position=log.head, jump_ms=100)
    assert (cursor.position, cursor.take()) == (-1, b"")
    film(feed, 5, 10)
    assert cursor.take() == b""
    film(feed, 10, 12)
    wire = cursor.take()
    assert [tag.body for tag in read_tags(wire)[:1]] == [AVC_HEADER]
    assert (numbers(wire), cursor.jumps) == ([10, 11], 0)
    # The publisher is away: what it left is no place to start from.
    log.forget_key()
    assert (lagging.take(), lagging.jumps, lagging.position) == (b"", 1, -1)


def test_a_keyframe_that_was_trimmed_is_none_to_go_to():
    """Without a GOP cache, and with a GOP longer than the history."""
    log = MediaLog(history_ms=1000, keep_gop=False)
    cursor = Cursor(log)
    picture = bytes(20_000)
    log.append(VIDEO, 0, key(picture))
    cursor.take()
    for i in range(1, 100):
        log.append(VIDEO, 40 * i, key(picture) if i == 2 else inter(picture))
    assert log.key_pos == -1 and log.tail > 0
    assert cursor.take() == b""
    assert cursor.jumps == 1
    log.append(VIDEO, 4000, key(b"new"))
    assert cursor.take().endswith(log.read(log.key_pos, log.head))


def test_on_a_log_without_video_it_waits_for_nothing():
    log = MediaLog()
    log.append(AUDIO, 0, sound(b"old"))
    cursor = Cursor(log)
    late = Cursor(log, position=log.head, jump_ms=1)
    assert cursor.take() == b""
    log.append(AUDIO, 20, sound(b"new"))
    assert [tag.body for tag in read_tags(cursor.take())] == [sound(b"new")]
    log.append(AUDIO, 40, sound(b"newer"))
    assert (late.take(), late.jumps, late.position) == (b"", 1, log.head)


def test_headers_of_a_jump_are_a_frame_of_their_own():
    log, feed = started()
    film(feed, 0, 12)
    cursor = Cursor(log, framing=WEBSOCKET)
    film(feed, 12, 21)
    headers, media = messages(cursor.take())
    assert headers == log.key_headers
    assert numbers(media) == [20]


def test_it_is_done_when_the_log_has_ended_and_all_is_read():
    log, feed = started()
    film(feed, 0, 2)
    cursor, waiting = Cursor(log, position=0), Cursor(log)
    assert (cursor.done, waiting.done) == (False, False)
    log.end()
    assert (cursor.done, waiting.done) == (False, True)
    cursor.take()
    assert cursor.done


def test_it_counts_as_a_reader_until_it_is_closed_or_gone():
    log = MediaLog()
    first, second = Cursor(log, position=0), Cursor(log)
    assert log.readers == 2
    first.close()
    first.close()
    assert log.readers == 1
    del second
    assert log.readers == 0


def test_a_place_that_is_not_there_yet_is_refused():
    log = MediaLog()
    with pytest.raises(UsageError, match="position 1"):
        Cursor(log, position=1)
    assert log.readers == 0


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from([key, inter, sound]), st.integers(0, 3000)), max_size=60), st.data()
)
def test_tags_are_told_one_by_one_as_they_were_appended(rows, data):
    log = MediaLog(keep_ms=10**9)
    log.append(VIDEO, 0, key())
    cursor = Cursor(log, position=0)
    found = []
    for time, (body, size) in enumerate(rows):
        log.append(AUDIO if body is sound else VIDEO, time, body(bytes(size)))
        if data.draw(st.booleans()):
            found += cursor.take_tags()
    found += cursor.take_tags()
    assert cursor.take_tags() == []
    assert [read_tags(tag)[0] for _, _, _, tag in found] == log_tags(log)
    assert [(kind, flags, dts) for kind, flags, dts, _ in found] == [
        (kind, flags, dts) for _, _, dts, kind, flags in log.tags()
    ]


def test_who_reads_tags_and_was_trimmed_away_from_goes_on_at_the_oldest_kept():
    log, feed = started(history_ms=500, history_bytes=10**9)
    cursor = Cursor(log, position=0)
    film(feed, 0, 500)
    tags = cursor.take_tags()
    assert cursor.jumps == 1
    assert b"".join(tag for _, _, _, tag in tags) == log.read(log.tail, log.head)


def test_a_reader_follows_new_bounds_of_its_lag():
    log, feed = started(keep_ms=10**9)
    film(feed, 0, 25)
    cursor = Cursor(log, position=0, jump_ms=10**9, drop_ms=10**9)
    cursor.measure(0)
    assert (cursor.jumps, cursor.drops, cursor.drop_ms, cursor.jump_ms) == (0, 0, 10**9, 10**9)
    film(feed, 25, 60)
    cursor.drop_ms = 100
    cursor.measure(0)
    assert (cursor.jumps, cursor.drops) == (0, 1)
    cursor.jump_ms = 200
    assert numbers(cursor.take()) == list(range(50, 60))
    assert cursor.jumps == 1


@pytest.mark.parametrize("gop", [120, 400])
def test_the_wait_for_a_keyframe_is_longer_where_the_publisher_sends_few(gop):
    log, feed = started()
    film(feed, 0, 2 * gop + 5, gop=gop)
    cursor = Cursor(log, position=log.head, until_key=True)
    film(feed, 2 * gop + 5, 3 * gop + 10, gop=gop)
    assert numbers(cursor.take()) == list(range(3 * gop, 3 * gop + 10))


def test_the_wait_for_a_keyframe_ends_with_any_picture_and_sound_comes_at_once():
    log, feed = started()
    film(feed, 0, 5)
    cursor = Cursor(log, position=log.head, until_key=True)
    late = 4 + limits.KEY_WAIT_MS // 100
    wire = b""
    for i in range(5, late + 5):
        film(feed, i, i + 1, gop=1000)
        feed.audio(100 * i + 50, sound(b"%d" % i))
        wire += cursor.take()
    tags = [tag for tag in read_tags(wire) if not tag.is_header]
    assert [tag.mark for tag in tags if tag.kind == AUDIO] == [b"%d" % i for i in range(5, late + 5)]
    assert [tag.dts_ms // 100 for tag in tags if tag.kind == VIDEO] == list(range(late, late + 5))
