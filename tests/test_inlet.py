"""Inlets: what one publisher sends, on air and on standby, and the GOP that is kept of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.flv import (
    AAC_HEADER,
    AGGREGATE,
    AUDIO,
    AVC_HEADER,
    VIDEO,
    Feed,
    aggregate,
    inter,
    key,
    log_tags,
    sound,
)

from fastflv._ext.ingest.inlet import Inlet
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog

KEEP = 1 << 60


def standing_by(bytes_max: int = 0, pictures_max: int = 0) -> tuple[Inlet, Feed]:
    inlet = Inlet(StreamWriter(MediaLog(keep_ms=KEEP, history_bytes=KEEP)))
    inlet.stand_by(bytes_max=bytes_max, pictures_max=pictures_max)
    return inlet, Feed(inlet)


def on_air(inlet: Inlet, room_ms: int = 1 << 40) -> list[tuple[int, int, bytes]]:
    """Put the inlet on air; return kind, time and body of what is written then."""
    inlet.writer.begin(0)
    inlet.go_on_air(inlet.fitted_ms(room_ms))
    inlet.flush()
    return [tuple(tag) for tag in log_tags(inlet.writer.log)]


def film(feed: Feed, pictures: int, since: int = 0, *, first: int = 0) -> None:
    for number in range(first, first + pictures):
        feed.video(since + 40 * number, (key if number == 0 else inter)(bytes([number])))
        feed.audio(since + 40 * number + 7, sound(bytes([number])))


def test_nothing_is_written_before_it_goes_on_air_nor_once_it_is_closed():
    inlet, feed = standing_by()
    film(feed, 3)
    assert log_tags(inlet.writer.log) == []
    inlet.close()
    film(feed, 3)
    assert on_air(inlet) == [] and inlet.bytes == 2 * 3 * (6 + 3)


def test_headers_and_the_newest_gop_are_written_first_with_the_distances_that_were_sent():
    inlet, feed = standing_by()
    feed.video(0, AVC_HEADER)
    feed.audio(0, AAC_HEADER)
    film(feed, 5)
    film(feed, 4, 10_000)
    assert (inlet.keys, inlet.fitted_ms(5000)) == (2, 120)
    found = on_air(inlet)
    assert [body for _, _, body in found[:2]] == [AVC_HEADER, AAC_HEADER]
    assert [time for kind, time, body in found[2:]] == [0, 7, 40, 47, 80, 87, 120, 127]
    film(feed, 1, 10_000, first=4)
    assert [time for _, time, _ in map(tuple, log_tags(inlet.writer.log)[-2:])] == [160, 167]


@pytest.mark.parametrize("long", [False, True], ids=["in place", "with a time added"])
def test_a_gop_is_compressed_into_the_room_with_all_its_pictures_in_their_order(long):
    inlet, feed = standing_by()
    head = b"\x90avc1" if long else AVC_HEADER[:2]
    feed.video(0, b"\x90avc1" + AVC_HEADER[5:] if long else AVC_HEADER)
    order = [0, 3, 1, 2, 6, 4, 5]
    for at, shown in enumerate(order * 8):
        turn = at // 7
        cts = 40 * (turn * 7 + shown - at + 2)
        first = 0x10 if at == 0 else 0x20
        if long:
            # Without a composition time where it is 0.
            coded = (
                bytes([0x80 | first | (1 if cts else 3)]) + b"avc1" + (cts.to_bytes(3, "big") if cts else b"")
            )
        else:
            coded = bytes([first | 7, 1]) + cts.to_bytes(3, "big")
        feed.video(40 * at, coded + bytes([at]))
        feed.audio(40 * at, sound(bytes([at])))
    assert head
    found = [
        each for each in on_air(inlet, 500) if (each[0] == VIDEO and each[2][1] != 0) or each[0] == AUDIO
    ]
    pictures = [
        (time, body) for kind, time, body in found if kind == VIDEO and body[-1:] != b"" and len(body) < 20
    ]
    pictures = [each for each in pictures if each[1] != AVC_HEADER]
    times = [time for time, _ in pictures][-56:]
    assert times == sorted(set(times)) and times[-1] - times[0] == 500
    shown = [time + cts_of(body) for time, body in pictures[-56:]]
    wanted = [at // 7 * 7 + place for at, place in enumerate(order * 8)]
    assert sorted(range(56), key=shown.__getitem__) == sorted(range(56), key=wanted.__getitem__)
    assert all(cts_of(body) >= 0 for _, body in pictures[-56:])
    sounds = [(time, body) for kind, time, body in found if kind == AUDIO]
    assert sounds[0][0] >= times[0] and sounds[-1] == (times[-1], sound(bytes([55])))


def cts_of(body: bytes) -> int:
    if body[0] & 0x80:
        return int.from_bytes(body[5:8], "big") if body[0] & 15 == 1 else 0
    return int.from_bytes(body[2:5], "big")


def test_another_header_ends_the_gop_that_belongs_to_the_one_before():
    inlet, feed = standing_by()
    feed.video(0, AVC_HEADER)
    film(feed, 3)
    feed.video(120, AVC_HEADER)
    assert inlet.fitted_ms(500) == 80
    feed.video(120, AVC_HEADER[:-1] + b"\x07")
    assert inlet.fitted_ms(500) == 0
    assert [body for _, _, body in on_air(inlet)] == [AVC_HEADER[:-1] + b"\x07"]


@pytest.mark.parametrize("bounds", [{"bytes_max": 100}, {"pictures_max": 4}])
def test_a_gop_beyond_a_bound_is_dropped_and_the_next_one_is_kept(bounds):
    inlet, feed = standing_by(**bounds)
    film(feed, 6)
    assert inlet.fitted_ms(500) == 0
    film(feed, 2, 5000)
    assert inlet.fitted_ms(500) == 40
    assert [body for _, _, body in on_air(inlet)] == [key(b"\0"), sound(b"\0"), inter(b"\1"), sound(b"\1")]


def test_times_may_wrap_within_a_gop_and_aggregates_are_their_parts():
    inlet, feed = standing_by()
    feed.send(
        AGGREGATE,
        2**32 - 40,
        aggregate([(VIDEO, 0, key(b"1")), (VIDEO, 40, inter(b"2")), (VIDEO, 80, inter(b"3"))]),
    )
    assert (inlet.keys, inlet.fitted_ms(500)) == (1, 80)
    assert [(time, body) for _, time, body in on_air(inlet)] == [
        (0, key(b"1")),
        (40, inter(b"2")),
        (80, inter(b"3")),
    ]


def test_sound_alone_keeps_no_past():
    inlet, feed = standing_by()
    feed.audio(0, AAC_HEADER)
    feed.audio(0, sound(b"1"))
    assert (inlet.has_pictures, inlet.fitted_ms(500)) == (False, 0)
    assert [body for _, _, body in on_air(inlet)] == [AAC_HEADER]
    feed.audio(23, sound(b"2"))
    assert log_tags(inlet.writer.log)[-1].body == sound(b"2")


@given(
    st.lists(
        st.tuples(
            st.sampled_from([AUDIO, VIDEO, AGGREGATE]), st.integers(0, 2**32 - 1), st.binary(max_size=30)
        ),
        max_size=40,
    ),
    st.integers(-(2**40), 2**40),
)
def test_any_messages_are_kept_and_written(messages, room):
    inlet, feed = standing_by(bytes_max=400)
    for kind, time, body in messages:
        feed.send(kind, time, body, 0)
    on_air(inlet, room)
    assert inlet.bytes == sum(len(body) for _, _, body in messages)
