"""Logs of containers: made for the first player, kept a while for the next one, freed at once where room is needed."""

from __future__ import annotations

from model.flv import AVC_HEADER, Feed, key

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv.containers.variant import Variant
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions

TS, SILENT = Variant("ts"), Variant("ts", audio=False)


def live() -> Stream:
    stream = Stream(StreamName("v", "live", "a"), StreamOptions(), id="x", now_ms=0)
    stream.begin("p", 0)
    feed = Feed(stream.writer)
    feed.video(0, AVC_HEADER)
    feed.video(0, key())
    return stream


def test_a_log_stays_for_the_next_player_and_is_freed_after_a_while():
    stream = live()
    outlet = stream.open(TS)
    assert stream.outlets.close_unread(10.0)
    assert stream.open(TS) is outlet
    assert stream.outlets.close_unread(11.0)
    assert stream.outlets.close_unread(11.0 + limits.OUTLET_KEEP_SECONDS - 0.1)
    assert not stream.outlets.close_unread(11.0 + limits.OUTLET_KEEP_SECONDS)
    assert stream.open(TS) is not outlet


def test_the_time_counts_from_the_last_reader():
    stream = live()
    player = Cursor(stream.open(TS).log)
    assert not stream.outlets.close_unread(10.0)
    player.close()
    assert stream.outlets.close_unread(100.0)
    assert not stream.outlets.close_unread(100.0 + limits.OUTLET_KEEP_SECONDS)
    assert len(stream.outlets) == 1


def test_a_log_that_another_is_made_of_is_freed_after_it():
    stream = live()
    stream.open(SILENT)
    assert len(stream.outlets) == 3
    assert stream.outlets.close_unread(10.0)
    assert stream.outlets.close_unread(10.0 + limits.OUTLET_KEEP_SECONDS)
    assert len(stream.outlets) == 2
    assert not stream.outlets.close_unread(10.0 + 2 * limits.OUTLET_KEEP_SECONDS)
    assert len(stream.outlets) == 1


def test_without_a_clock_all_that_nobody_reads_is_freed():
    stream = live()
    stream.open(SILENT)
    assert not stream.outlets.close_unread()
    assert len(stream.outlets) == 1
