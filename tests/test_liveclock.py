"""The clock tag: where it stands, what it says, and what becomes of one that the publisher brings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.flv import AAC_HEADER, AVC_HEADER, SCRIPT, VIDEO, Feed, inter, key, log_tags, sound

from fastflv import limits
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.containers.variant import Variant
from fastflv.media.amf import amf0
from fastflv.stream.histogram import Delays
from fastflv.stream.liveclock import NAME, Clocks, ClockTag, LiveClock, read_clock, write_clock
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions

WALL = 1_700_000_000_000
COUNTS = st.integers(0, (1 << 53) - 1)


class Bench:
    """A stream whose clocks stand where the media is, *late* ms behind its read."""

    def __init__(self, late: float = 3.0) -> None:
        self.delays = Delays()
        name = StreamName(DEFAULT_VHOST, "live", "a")
        self.stream = Stream(name, StreamOptions(live_clock=True), id="vid-1", now_ms=0, delays=self.delays)
        self.writer = self.stream.writer

        def now() -> Clocks:
            return Clocks(self.writer.now_ms + late, WALL + self.writer.now_ms + late)

        self.stream.clock = self.writer.clock = LiveClock(self.writer, self.delays, now)
        self.stream.begin("p", 0)
        self.stream.log.keep_ms = 10**9
        self.feed = Feed(self.writer)

    def say(self, tag: ClockTag) -> None:
        self.stream.take_data(NAME, write_clock(tag), 0)

    def clocks(self) -> list[ClockTag]:
        found = [read_clock(tag.body) for tag in log_tags(self.stream.log) if tag.kind == SCRIPT]
        assert None not in found
        return found


def test_a_clock_stands_right_before_each_keyframe_and_nowhere_else():
    bench = Bench()
    bench.feed.video(0, AVC_HEADER)
    bench.feed.audio(0, AAC_HEADER)
    for time in range(0, 6000, 40):
        bench.feed.video(time, key() if time % 2000 == 0 else inter())
        bench.feed.audio(time + 5, sound())
    tags = log_tags(bench.stream.log)
    clocks = [i for i, tag in enumerate(tags) if tag.kind == SCRIPT]
    assert [tags[i + 1].is_key for i in clocks] == [True] * 3
    assert [tags[i].dts_ms for i in clocks] == [tags[i + 1].dts_ms for i in clocks] == [0, 2000, 4000]
    assert bench.clocks() == [
        ClockTag(i, WALL + 2000 * i, WALL + 2000 * i + 3, 2000 * i, 0) for i in range(3)
    ]
    assert bench.delays.ingest.count == 3
    assert bench.delays.ingest.sum_ms == 9
    key_at = next(row[0] for row in reversed(bench.stream.log.tags()) if row[3] == VIDEO and row[4] == 1)
    assert bench.stream.log.key_pos == key_at, "players start at the keyframe itself"


def test_sound_alone_has_a_clock_each_second():
    bench = Bench()
    for time in range(0, 5000, 20):
        bench.feed.audio(time, sound())
    step = limits.LIVE_CLOCK_STEP_MS
    assert [tag.dts_ms for tag in bench.clocks()] == list(range(0, 5000, step))


def test_a_variant_has_the_clock_too():
    bench = Bench()
    bench.feed.audio(0, sound())
    log = bench.stream.open(Variant(video=False)).log
    bench.feed.video(0, key())
    bench.feed.video(2000, key())
    assert sum(tag.kind == SCRIPT for tag in log_tags(log)) == 2


def test_without_the_setting_there_is_none():
    name = StreamName(DEFAULT_VHOST, "live", "a")
    stream = Stream(name, StreamOptions(), id="vid-1", now_ms=0)
    stream.begin("p", 0)
    Feed(stream.writer).video(0, key())
    assert [tag.kind for tag in log_tags(stream.log)] == [VIDEO]


def test_the_clock_of_the_server_before_goes_on_with_its_time_and_one_more_hop():
    bench = Bench()
    for i, time in enumerate((0, 2000)):
        bench.say(ClockTag(70 + i, WALL - 500 + time, WALL - 490 + time, 12345, 1))
        bench.feed.video(time, key())
    assert bench.clocks() == [
        ClockTag(70 + i, WALL - 500 + time, WALL + time + 3, time, 2) for i, time in enumerate((0, 2000))
    ]
    assert bench.delays.origin.count == 2
    assert bench.delays.origin.sum_ms == 2 * 503


def test_a_keyframe_that_came_without_a_clock_gets_none_from_an_edge():
    bench = Bench()
    bench.say(ClockTag(7, WALL, WALL, 0, 0))
    bench.feed.video(0, key())
    bench.feed.video(2000, key())
    assert len(bench.clocks()) == 1
    bench.stream.leave(0)
    bench.stream.begin("q", 0)
    bench.feed.video(0, key())
    assert bench.clocks()[-1].hop == 0, "the next publisher brings none"


def test_hops_are_counted_up_to_a_bound():
    bench = Bench()
    bench.say(ClockTag(0, 0, 0, 0, limits.LIVE_CLOCK_HOPS_MAX))
    bench.feed.video(0, key())
    assert bench.clocks()[0].hop == limits.LIVE_CLOCK_HOPS_MAX


@given(st.builds(ClockTag, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS))
def test_a_clock_is_read_as_it_was_written(tag):
    assert read_clock(write_clock(tag)) == tag


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x02\xff",
        amf0.encode(NAME),
        amf0.encode(NAME, 1.0),
        amf0.encode(NAME, {"sequence": 1.0}),
        amf0.encode("onMetaData", {"sequence": 1.0}),
        write_clock(ClockTag(1, 2, 3, 4, 5)).replace(b"hop", b"hup"),
        write_clock(ClockTag(-1, 2, 3, 4, 5)),
    ],
)
def test_what_is_no_clock_is_none_and_is_passed_on(body):
    assert read_clock(body) is None
    bench = Bench()
    bench.stream.take_data(NAME, body, 0)
    bench.writer.flush()
    assert [tag.body for tag in log_tags(bench.stream.log)] == [body]


@given(st.binary(max_size=80))
def test_nothing_makes_reading_a_clock_fail(body):
    read_clock(amf0.encode(NAME) + body)
