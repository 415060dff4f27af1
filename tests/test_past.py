"""The past of a log against a list that forgets nothing: where players may start, and what they are sent."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
from model.viewer import Publisher

from fastflv import limits
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.log.past import Past
from fastflv._ext.mux.replay import Replay
from fastflv.errors import UsageError

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["key", "inter", "inter", "sound", "header"]),
        st.sampled_from([10, 3000, 70_000]),
        st.sampled_from([1, 40, 500, 3000]),
    ),
    max_size=60,
)


def test_headers_that_outweigh_the_media_between_them_count_for_the_bound():
    log = MediaLog()
    past = Past(log, window_ms=10**9, bytes_max=1_000_000)
    feed = Feed(StreamWriter(log))
    feed.writer.begin(10)
    feed.writer.set_metadata(b"\x02\x00\x0aonMetaData\x0c" + bytes(40_000), 0)
    feed.video(0, AVC_HEADER)
    for number in range(2000):
        feed.video(number * 40, key())
        assert past.kept_bytes <= 1_000_000
    # Each place keeps 40 KB of its own.
    assert 0 < len(past.spots) <= 1_000_000 // 40_000
    past.adopt(window_ms=10**9, bytes_max=0)
    assert (past.kept_bytes, past.spots) == (0, [])


def test_pages_that_go_to_the_past_are_larger_for_each_may_be_a_mapping_of_its_own():
    log = MediaLog(keep_gop=False)
    _past = Past(log, window_ms=10**9, bytes_max=10**9)
    for time in range(0, 10_000, 10):
        log.append(VIDEO, time, inter(bytes(50_000)))
    assert log.kept_bytes == pytest.approx(limits.PAGE_PAST_BYTES_MAX, rel=0.1)


class ListPast:
    """Every tag that was written, and every place to start with the headers of then."""

    def __init__(self) -> None:
        self.tags: list[tuple[int, Tag]] = []
        "With positions in the log."
        self.keys: list[tuple[int, int, set[bytes]]] = []
        "Position, time, headers."

    def tail(self, position: int) -> list[tuple[int, bytes]]:
        """Kind and body of every tag from *position* on."""
        return [(tag.kind, tag.body) for at, tag in self.tags if at >= position]


def play(script, past_bytes: int, window_ms: int) -> tuple[MediaLog, Past, ListPast]:
    """Write *script* with a past of these bounds, and into a list."""
    log = MediaLog(history_ms=0, keep_gop=True)
    past = Past(log, window_ms=window_ms, bytes_max=past_bytes)
    feed, model = Feed(StreamWriter(log)), ListPast()
    feed.writer.begin(10)
    headers = {AUDIO: AAC_HEADER, VIDEO: AVC_HEADER}
    feed.audio(0, AAC_HEADER)
    feed.video(0, AVC_HEADER)
    time, heard_ms = 0, -limits.TIMESHIFT_PLACE_MS
    # A track without frames has no headers yet.
    for number, (what, size, step) in enumerate([("key", 10, 1), ("sound", 10, 1), *script]):
        time += step
        mark = number.to_bytes(4, "big") + bytes(size)
        if what == "header":
            headers[VIDEO] = AVC_HEADER + bytes([number])
        body = {"key": key(mark), "inter": inter(mark), "sound": sound(mark), "header": headers[VIDEO]}[what]
        at = log.head
        feed.send(AUDIO if what == "sound" else VIDEO, time, body)
        # Behind a silence the writer repeats headers before a tag.
        rows = [row for row in log.tags() if row[0] >= at]
        tags = read_tags(log.read(at, log.head))
        model.tags += [(row[0], Tag(row[3], row[2], tag.body)) for row, tag in zip(rows, tags, strict=True)]
        alone = what == "sound" and not feed.writer.has_video
        alone = alone and not 0 <= rows[-1][2] - heard_ms < limits.TIMESHIFT_PLACE_MS
        heard_ms = rows[-1][2] if alone else heard_ms
        if what == "key" or alone:
            model.keys.append((rows[-1][0], rows[-1][2], set(headers.values())))
    return log, past, model


@settings(max_examples=120)
@given(STEPS, st.sampled_from([1, 200_000, 1 << 30]), st.sampled_from([100, 2000, 10_000]), st.data())
def test_places_are_the_keyframes_and_the_sound_alone_of_the_window_and_play_what_was_written(
    rows, past_bytes, window_ms, data
):
    log, past, model = play(rows, past_bytes, window_ms)
    spots = past.spots
    known = [(at, dts) for at, dts, _ in model.keys]
    kept = [(spot.position, spot.dts_ms) for spot in spots]
    assert kept == known[len(known) - len(kept) :]
    assert past.kept_bytes <= past_bytes
    far = [dts for _, dts in known if dts <= log.head_dts - window_ms]
    if past_bytes == 1 << 30 and known:
        # The far end of the window can be played, and pages before it are freed.
        assert spots[0].dts_ms <= (far[-1] if far else known[0][1])
    if not kept:
        assert past.nearest(0) is None and past.oldest is None and past.newest is None
        return
    assert (past.oldest, past.newest) == (spots[0], spots[-1])
    wanted = data.draw(st.integers(-10, log.head_dts + 10))
    assert past.nearest(wanted) == min(spots, key=lambda spot: abs(spot.dts_ms - wanted))
    spot = data.draw(st.sampled_from(spots))
    copy = MediaLog(keep_ms=1 << 40)
    replay = Replay(log, copy, spot.position, 1)
    until = data.draw(st.integers(spot.dts_ms, log.head_dts))
    replay.advance(until)
    replay.advance(log.head_dts)
    assert replay.is_live
    got = log_tags(copy)
    assert [(tag.kind, tag.body) for tag in got] == model.tail(spot.position)
    times = [tag.dts_ms for at, tag in model.tags if at >= spot.position]
    # Headers that are repeated for a track that was lost may be older than the place.
    begin = got[0].dts_ms
    assert [tag.dts_ms for tag in got] == [max(begin + time - times[0], 0) for time in times]
    replay.stop()


@settings(max_examples=60)
@given(STEPS)
def test_a_place_has_the_headers_of_its_time(rows):
    # Headers of a track that is silent for long are left out.
    rows = [(what, size, min(step, 100)) for what, size, step in rows]
    log, past, model = play(rows, 1 << 30, 1 << 30)
    for spot, (_, _, headers) in zip(past.spots, model.keys, strict=True):
        replay = Replay(log, MediaLog(), spot.position, 1)
        assert {tag.body for tag in read_tags(replay.header_tags(0)) if tag.kind != SCRIPT} == headers


def test_several_keyframes_of_one_read_are_places_each():
    log = MediaLog()
    past = Past(log, window_ms=10_000, bytes_max=1 << 30)
    feed = Feed(StreamWriter(log))
    feed.writer.begin(10)
    feed.video(0, AVC_HEADER)
    wire = b"".join(write_message(VIDEO, 40 * n, 1, 6, key(bytes([n])), 128) for n in range(1, 4))
    assert feed.reader.feed(wire) == len(wire)
    feed.writer.flush()
    assert len(past.spots) == 3
    for spot in past.spots:
        assert AVC_HEADER in Replay(log, MediaLog(), spot.position, 1).header_tags(0)


def test_sound_alone_has_a_place_each_second():
    log = MediaLog(history_ms=0)
    past = Past(log, window_ms=5000, bytes_max=1 << 30)
    feed = Feed(StreamWriter(log))
    feed.writer.begin(10)
    feed.audio(0, AAC_HEADER)
    for number in range(1000):
        feed.audio(number * 20, sound(number.to_bytes(4, "big") * 100))
    spots = past.spots
    assert {later.dts_ms - spot.dts_ms for spot, later in pairwise(spots)} == {limits.TIMESHIFT_PLACE_MS}
    copy = MediaLog()
    replay = Replay(log, copy, past.nearest(log.head_dts - 3000).position, 1)
    assert not replay.has_video and AAC_HEADER in replay.header_tags(0)
    replay.advance(log.head_dts)
    assert len(log_tags(copy)) in range(140, 160)


def test_a_replay_whose_past_is_dropped_goes_on_at_the_oldest_place():
    publisher = Publisher(gop=5, frame_bytes=30_000, history_ms=0)
    past = Past(publisher.log, window_ms=2000, bytes_max=1 << 30)
    publisher.frames(50)
    copy = MediaLog(keep_ms=1 << 40, history_bytes=1 << 40)
    replay = Replay(publisher.log, copy, past.oldest.position, 1)
    replay.advance(past.oldest.dts_ms)
    publisher.frames(200)
    replay.advance(1 << 40)
    frames = [
        int.from_bytes(tag.mark[:4], "big")
        for tag in log_tags(copy)
        if tag.kind == VIDEO and not tag.is_header
    ]
    assert frames[-1] == 249 and frames == sorted(frames)
    publisher.frames(1)
    assert log_tags(copy)[-2].mark[:4] == (250).to_bytes(4, "big")


def test_a_place_that_is_gone_is_refused():
    publisher = Publisher(gop=5, frame_bytes=30_000, history_ms=0)
    past = Past(publisher.log, window_ms=1000, bytes_max=1 << 30)
    publisher.frames(20)
    spot = past.oldest
    publisher.frames(200)
    with pytest.raises(UsageError):
        Replay(publisher.log, MediaLog(), spot.position, 1)
    past.close()
    assert past.spots == [] and past.kept_bytes == 0


def test_times_are_compressed_until_the_replay_is_live():
    publisher = Publisher(gop=10)
    past = Past(publisher.log, window_ms=60_000, bytes_max=1 << 30)
    publisher.frames(100)
    copy = MediaLog(keep_ms=1 << 40)
    replay = Replay(publisher.log, copy, past.nearest(0).position, 1.25)
    replay.advance(publisher.log.head_dts)
    assert replay.is_live
    publisher.frames(50)
    video = [tag.dts_ms for tag in log_tags(copy) if tag.kind == VIDEO and not tag.is_header]
    steps = [later - time for time, later in pairwise(video)]
    assert set(steps[:90]) == {32} and set(steps[-49:]) == {40}
    assert copy.key_pos >= 0 and copy.key_headers


def test_a_replay_ends_with_what_it_has_not_shown_yet():
    publisher = Publisher(gop=10)
    past = Past(publisher.log, window_ms=60_000, bytes_max=1 << 30)
    publisher.frames(30)
    copy = MediaLog()
    replay = Replay(publisher.log, copy, past.oldest.position, 1)
    publisher.log.end()
    replay.advance(400)
    assert not copy.ended
    replay.advance(publisher.log.head_dts)
    assert copy.ended


@settings(max_examples=60)
@given(STEPS, st.integers(1, 5))
def test_steps_are_the_places_with_what_lies_before_them(rows, most):
    log, past, model = play(rows, 1 << 30, 1 << 30)
    found, behind = [], -1
    while part := past.steps(behind, most):
        assert len(part) <= most and part[0].headers is not None
        found += part
        behind = found[-1].position
    assert [each[:3] for each in found] == past.spots
    headers = b""
    for step in found:
        before = [tag.dts_ms for at, tag in model.tags if at < step.position]
        assert not before or step.before_ms == before[-1]
        headers = step.headers if step.headers is not None else headers
        told = Replay(log, MediaLog(), step.position, 1).header_tags(0)
        assert [tag.body for tag in read_tags(headers)] == [tag.body for tag in read_tags(told)]


@settings(max_examples=60)
@given(STEPS, st.data())
def test_the_tag_before_a_time_is_the_newest_frame_of_its_kind(rows, data):
    log, past, model = play(rows, 1 << 30, 1 << 30)
    spot = data.draw(st.sampled_from(past.spots))
    kind = data.draw(st.sampled_from([AUDIO, VIDEO]))
    until = data.draw(st.integers(spot.dts_ms - 10, log.head_dts + 10))
    rows = [
        (at, tag.dts_ms)
        for at, tag in model.tags
        if at > spot.position and tag.kind == kind and not tag.is_header
    ]
    late = next((number for number, (_, dts) in enumerate(rows) if dts > until), len(rows))
    assert past.tag_before(spot.position, until, kind) == (rows[late - 1] if late else None)
