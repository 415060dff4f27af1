"""`atc_auto`: the times of publishers that announce absolute ones."""

from __future__ import annotations

import pytest
from model.flv import AVC_HEADER, Feed, key

from fastflv.config.load import load_text
from fastflv.config.model.play import TimeJitter
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.control.runtime import compile_runtime
from fastflv.media.amf import amf0
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions

NAME = StreamName(DEFAULT_VHOST, "live", "a")
LATE = 3_600_000
"Where the publisher's clock stands when it begins, ms."


def publish(stream: Stream, *, id: str = "p", **metadata: object) -> int:
    """Begin a publish with *metadata*; return the time of its picture as players get it, ms."""
    stream.begin(id, 0)
    stream.take_data("onMetaData", amf0.encode("onMetaData", {"videocodecid": 7.0, **metadata}), LATE)
    feed = Feed(stream.writer)
    feed.video(LATE, AVC_HEADER)
    feed.video(LATE, key())
    return stream.log.tags()[-1][2]


def make(**options: object) -> Stream:
    return Stream(NAME, StreamOptions(**options), id="vid-1", now_ms=0)


@pytest.mark.parametrize(
    ("options", "metadata", "kept"),
    [
        ({"atc_auto": True}, {"bravo_atc": "true"}, True),
        ({"atc_auto": True}, {}, False),
        ({"atc_auto": True}, {"bravo_atc": "false"}, False),
        ({"atc_auto": True}, {"bravo_atc": True}, False),
        ({}, {"bravo_atc": "true"}, False),
        ({"jitter": TimeJitter.OFF}, {}, True),
    ],
)
def test_times_stay_absolute_where_the_metadata_and_the_setting_say_so(options, metadata, kept):
    time = publish(make(**options), **metadata)
    assert (time == LATE) is kept
    assert kept or time < 1000


def test_the_next_publisher_is_judged_by_its_own_metadata():
    stream = make(atc_auto=True)
    publish(stream, bravo_atc="true")
    assert stream.writer.jitter == 2
    stream.leave(0)
    publish(stream, id="q")
    assert stream.writer.jitter == 0


def test_a_reload_switches_it_for_a_stream_that_runs():
    stream = make()
    publish(stream, bravo_atc="true")
    stream.adopt(StreamOptions(atc_auto=True))
    assert stream.writer.jitter == 2
    stream.adopt(StreamOptions())
    assert stream.writer.jitter == 0


def test_the_directive_is_what_streams_are_told():
    text = "listen 1; vhost __defaultVhost__ { play { atc_auto on; } }"
    assert compile_runtime(load_text(text), 1).vhosts[DEFAULT_VHOST].publish.stream.atc_auto
