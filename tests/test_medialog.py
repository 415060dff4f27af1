"""The media log against a list: the same bytes, the newest GOP always there, memory bounded."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model.flv import AUDIO, SCRIPT, VIDEO, Tag, inter, key, log_tags, sound, write_tag
from model.log import ListLog

from fastflv import limits
from fastflv._ext.log.block import MediaBlock
from fastflv._ext.log.medialog import MediaLog
from fastflv.errors import UsageError

BODIES = {
    "key": (VIDEO, key()),
    "inter": (VIDEO, inter()),
    "sound": (AUDIO, sound()),
    "script": (SCRIPT, b"\x02\0\0"),
}
SIZES = st.one_of(st.integers(0, 400), st.sampled_from([5000, 70_000, 1_200_000]))
APPENDS = st.lists(
    st.tuples(st.sampled_from(sorted(BODIES)), SIZES, st.sampled_from([0, 1, 23, 40, 600, 3000])), max_size=80
)


def spoken(name: str, size: int) -> tuple[int, bytes]:
    kind, body = BODIES[name]
    return kind, body + bytes([len(name)]) * size


def fill(
    log: MediaLog, seconds: float, *, bytes_per_second: int, gop_ms: int = 2000, start_ms: int = 0
) -> int:
    """Append video at 25 fps; return the time behind it."""
    size = bytes_per_second // 25
    for time in range(start_ms, start_ms + round(seconds * 1000), 40):
        body = (key() if time % gop_ms == 0 else inter()) + bytes(size)
        log.append(VIDEO, time, body)
    return start_ms + round(seconds * 1000)


@pytest.fixture
def reader(senders):
    """Let a player that reads nothing but its preamble follow a log; return what undoes it."""
    ends: list[socket.socket] = []

    def follow(log: MediaLog):
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        ends.append(theirs)
        senders(1).add(
            ours.detach(),
            log,
            framing=0,
            preamble=MediaBlock(b"x"),
            start=MediaBlock(bytes(1 << 20)),
            position=log.head,
            jump_ms=10**9,
            merge_window_ms=0,
        )
        # Its thread has begun, and its start fills the socket: else it might find its place trimmed, and go on later.
        assert theirs.recv(1) == b"x"
        return theirs

    yield follow
    for end in ends:
        end.close()


@settings(max_examples=150)
@given(APPENDS, st.booleans(), st.sampled_from([0, 10_000, 2_000_000]), st.sampled_from([0, 3]))
def test_a_log_without_readers_is_the_end_of_the_list(rows, keep_gop, key_bytes_max, key_tags_max):
    log = MediaLog(keep_gop=keep_gop, key_bytes_max=key_bytes_max, key_tags_max=key_tags_max)
    model = ListLog(key_bytes_max=key_bytes_max, key_tags_max=key_tags_max)
    time = 0
    for name, size, step in rows:
        kind, body = spoken(name, size)
        log.append(kind, time, body)
        model.append(kind, time, body)
        time += step
        # Without a GOP cache the keyframe may go before its GOP is over.
        gone = model.key is None or (not keep_gop and model.key < log.tail)
        assert log.key_pos == (-1 if gone else model.key)
        if keep_gop and model.key is not None:
            assert log.tail <= model.key
        assert log.head == len(model.bytes)
    assert log.read(log.tail, log.head) == model.bytes[log.tail :]
    assert log.tags() == model.shown_from(log.tail)
    assert log.head_dts == (model.rows[-1].tag.dts_ms if rows else 0)
    if rows:
        assert log.tags(), "the newest tag is always there"


@given(APPENDS.filter(bool), st.data())
def test_any_range_of_what_is_kept_can_be_read(rows, data):
    log = MediaLog()
    model = ListLog()
    for name, size, _ in rows:
        kind, body = spoken(name, size)
        log.append(kind, 0, body)
        model.append(kind, 0, body)
    start = data.draw(st.integers(log.tail, log.head))
    stop = data.draw(st.integers(start, log.head))
    assert log.read(start, stop) == model.bytes[start:stop]


@pytest.mark.parametrize(("start", "stop"), [(-1, 0), (0, 10**6), (5, 4), (10**6, 10**6)])
def test_a_range_that_is_not_there_is_refused(start, stop):
    log = MediaLog()
    log.append(AUDIO, 0, sound())
    with pytest.raises(UsageError, match="not in the log"):
        log.read(start, stop)


def test_a_new_log_is_empty():
    log = MediaLog()
    assert (log.head, log.tail, log.key_pos, log.key_headers, log.tags()) == (0, 0, -1, b"", [])
    assert log.read(0, 0) == b""
    assert not log.ended


def test_a_tag_larger_than_the_largest_page_gets_one_of_its_own():
    log = MediaLog()
    body = key(bytes(3 * limits.PAGE_BYTES_MAX))
    log.append(VIDEO, 0, key())
    log.append(VIDEO, 40, body)
    log.append(AUDIO, 41, sound())
    assert log_tags(log)[-2:] == [Tag(VIDEO, 40, body), Tag(AUDIO, 41, sound())]


def test_a_body_that_no_tag_can_hold_is_refused():
    log = MediaLog()
    with pytest.raises(ValueError, match="16777215"):
        log.append(VIDEO, 0, bytes(2**24))
    assert log.head == 0
    log.append(VIDEO, 0, key())
    assert log_tags(log) == [Tag(VIDEO, 0, key())]


def test_a_header_or_a_disposable_frame_is_no_place_to_start():
    log = MediaLog()
    log.append(VIDEO, 0, b"\x17\x00\0\0\0x")
    log.append(VIDEO, 0, b"\x17\x02\0\0\0")
    log.append(VIDEO, 0, b"\x37\x01\0\0\0")
    assert log.key_pos == -1


def test_without_readers_only_the_newest_gop_is_kept_and_memory_follows_it():
    log = MediaLog()
    fill(log, 120, bytes_per_second=100_000)
    assert log.kept_bytes <= 1.4 * 2 * 100_000
    assert log.tail <= log.key_pos
    # The GOP before goes with the first picture of the next, not with the next page.
    fill(log, 0.04, bytes_per_second=100_000, start_ms=120_000)
    assert log.head - log.tail < 100_000


def test_without_readers_and_gop_cache_one_page_is_kept():
    log = MediaLog(keep_gop=False)
    fill(log, 60, bytes_per_second=60_000)
    assert log.kept_bytes <= 2 * limits.PAGE_BYTES_MIN


def test_a_log_of_audio_alone_keeps_one_page_without_readers():
    log = MediaLog()
    for i in range(20_000):
        log.append(AUDIO, i * 23, sound(bytes(200)))
    assert log.kept_bytes <= 2 * limits.PAGE_BYTES_MIN


def test_with_a_reader_the_window_in_time_is_kept_and_not_much_more(reader):
    log = MediaLog(history_ms=10_000)
    fill(log, 1, bytes_per_second=100_000)
    reader(log)
    assert log.readers == 1
    end = fill(log, 60, bytes_per_second=100_000, start_ms=1000)
    times = [row[2] for row in log.tags()]
    assert times[0] <= end - 40 - 10_000
    assert times[0] >= end - 10_000 - 3 * limits.PAGE_SPAN_MS


def test_with_a_reader_the_window_in_bytes_bounds_memory(reader):
    log = MediaLog(history_bytes=3_000_000)
    fill(log, 1, bytes_per_second=1_000_000)
    reader(log)
    for second in range(1, 30):
        fill(log, 1, bytes_per_second=1_000_000, start_ms=second * 1000, gop_ms=1000)
        assert log.kept_bytes <= 3_000_000 + 2 * limits.PAGE_BYTES_MAX
    assert log.kept_bytes > 1_500_000


def test_the_newest_gop_stays_though_it_exceeds_the_window(reader):
    log = MediaLog(history_bytes=500_000, history_ms=1000)
    log.append(VIDEO, 0, key())
    reader(log)
    fill(log, 4, bytes_per_second=1_000_000, gop_ms=10**9, start_ms=40)
    assert log.tail == log.key_pos == 0


def test_memory_of_a_gop_without_end_is_given_back_when_it_outgrows_its_bound():
    log = MediaLog(key_bytes_max=1_000_000)
    log.append(VIDEO, 0, key())
    for i in range(1, 5000):
        log.append(VIDEO, i * 40, inter(bytes(2000)))
        assert log.kept_bytes <= 1_000_000 + 3 * limits.PAGE_BYTES_MAX
    assert log.key_pos == -1
    assert log.kept_bytes <= 2 * limits.PAGE_BYTES_MAX
    log.append(VIDEO, 10**6, key())
    assert log.key_pos == log.head - len(key()) - 15


def test_a_gop_of_as_many_frames_as_allowed_is_offered_and_one_more_is_not():
    log = MediaLog(key_tags_max=3)
    log.append(VIDEO, 0, key())
    for i in range(3):
        log.append(VIDEO, i, inter())
        log.append(AUDIO, i, sound())
        assert log.key_pos == 0
    log.append(VIDEO, 9, inter())
    assert log.key_pos == -1


def test_pages_grow_with_the_bitrate_and_shrink_again():
    log = MediaLog(keep_gop=False)
    end = fill(log, 20, bytes_per_second=5_000_000)
    assert log.kept_bytes == pytest.approx(limits.PAGE_BYTES_MAX, rel=0.1)
    fill(log, 400, bytes_per_second=12_500, start_ms=end)
    assert log.kept_bytes < limits.PAGE_BYTES_MAX // 4


def test_many_small_tags_do_not_overrun_the_index():
    log = MediaLog()
    model = ListLog()
    for i in range(30_000):
        log.append(AUDIO, i, b"")
        model.append(AUDIO, i, b"")
    assert log.read(log.tail, log.head) == model.bytes[log.tail :]
    assert log.tags() == model.shown_from(log.tail)


def test_a_log_that_has_ended_takes_no_more():
    log = MediaLog()
    log.append(AUDIO, 0, sound())
    log.end()
    log.end()
    assert log.ended
    with pytest.raises(UsageError, match="ended"):
        log.append(AUDIO, 0, sound())
    assert log_tags(log) == [Tag(AUDIO, 0, sound())]


@given(st.binary(max_size=1000))
def test_a_block_is_the_bytes_it_was_made_of(data):
    block = MediaBlock(data)
    assert (bytes(block), len(block)) == (data, len(data))
    assert bytes(MediaBlock(bytearray(data))) == data


def test_bytes_are_as_the_flv_writer_says():
    log = MediaLog()
    log.append(VIDEO, 2**24 + 5, key(b"abc"))
    assert log.read(0, log.head) == write_tag(Tag(VIDEO, 2**24 + 5, key(b"abc")))


# --- bounds that change while the log is written ---


def test_new_bounds_of_the_history_count_from_the_next_page_on(reader):
    log = MediaLog(history_ms=60_000)
    fill(log, 1, bytes_per_second=1_000_000)
    reader(log)
    end = fill(log, 20, bytes_per_second=1_000_000, gop_ms=1000, start_ms=1000)
    assert end - log.tags()[0][2] > 15_000
    log.history_ms = 5000
    end = fill(log, 5, bytes_per_second=1_000_000, gop_ms=1000, start_ms=21_000)
    assert 5000 <= end + 40 - log.tags()[0][2] <= 5000 + 6 * limits.PAGE_SPAN_MS
    log.history_bytes = 1_000_000
    fill(log, 5, bytes_per_second=1_000_000, gop_ms=1000, start_ms=26_000)
    assert log.kept_bytes <= 1_000_000 + 2 * limits.PAGE_BYTES_MAX
    assert (log.history_ms, log.history_bytes) == (5000, 1_000_000)


def test_a_log_may_begin_and_cease_to_keep_history_without_readers():
    log = MediaLog()
    log.keep_ms = 5000
    end = fill(log, 20, bytes_per_second=1_000_000, gop_ms=1000)
    assert end - log.tags()[0][2] >= 5000 - 40
    log.keep_ms = 0
    fill(log, 5, bytes_per_second=1_000_000, gop_ms=1000, start_ms=20_000)
    assert log.kept_bytes <= 1_500_000 + 3 * limits.PAGE_BYTES_MAX
    assert log.keep_ms == 0


def test_a_gop_is_offered_or_not_by_the_bounds_of_now():
    log = MediaLog(key_tags_max=0, key_bytes_max=0)
    log.append(VIDEO, 0, key())
    for i in range(10):
        log.append(VIDEO, i, inter(bytes(100)))
    log.key_tags_max = 5
    assert log.key_pos == 0
    log.append(VIDEO, 11, inter())
    assert log.key_pos == -1
    log.key_tags_max, log.key_bytes_max = 100, 1000
    log.append(VIDEO, 12, key())
    assert log.key_pos >= 0
    log.append(VIDEO, 13, inter(bytes(2000)))
    assert log.key_pos == -1
    assert (log.key_tags_max, log.key_bytes_max) == (100, 1000)


def test_the_gop_cache_may_be_switched_off_and_on():
    log = MediaLog(keep_gop=True)
    log.append(VIDEO, 0, key())
    fill(log, 10, bytes_per_second=1_000_000, gop_ms=10**9, start_ms=40)
    assert log.tail == 0
    log.keep_gop = False
    fill(log, 3, bytes_per_second=1_000_000, gop_ms=10**9, start_ms=10_040)
    assert log.tail > 0
    assert log.key_pos == -1
    log.keep_gop = True
    log.append(VIDEO, 14_000, key())
    at = log.key_pos
    fill(log, 10, bytes_per_second=1_000_000, gop_ms=10**9, start_ms=14_040)
    assert log.key_pos == at >= log.tail
