"""Times that another process hands over: those that cannot be counted with are refused before a player asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from model.flv import AVC_HEADER, Feed, inter, key

from fastflv.errors import HandoverError
from fastflv.stream.moment import ClipWish, Moment
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions
from fastflv.stream.streamstate import past_pages, restore_stream, stream_state, take_past
from fastflv.stream.timeshift import TimeshiftOptions

CLIP = ClipWish(Moment("-2", ago_ms=2000), Moment("-0"))
FAR = ((1 << 63) - 1, -(1 << 63), (1 << 53) + 1, -(1 << 53) - 1)
"Stream times, ms."
OPTIONS = StreamOptions(timeshift=TimeshiftOptions(window_ms=600_000))


def handed() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The state of a stream, and the pages of its past."""
    stream = Stream(StreamName("v", "live", "x"), OPTIONS, id="vid-x", now_ms=0)
    stream.begin("publisher", 0)
    feed = Feed(stream.writer)
    feed.video(0, AVC_HEADER)
    for number in range(60):
        feed.writer.now_ms = 40 * number
        body = number.to_bytes(4, "big") * 3000
        feed.video(40 * number, key(body) if number % 10 == 0 else inter(body))
    return stream_state(stream), past_pages(stream, stream.log.tail, 1 << 30)


def told(row: bytes, ms: int) -> bytes:
    """*row* of an index, or several, whose first has the time *ms*."""
    return row[:4] + ms.to_bytes(8, "big", signed=True) + row[12:]


def go_on(state: dict[str, Any], pages: list[dict[str, Any]]) -> Stream:
    stream = Stream(StreamName("v", "live", "x"), OPTIONS, id="vid-y", now_ms=0)
    restore_stream(stream, state)
    take_past(stream, pages)
    return stream


@pytest.mark.parametrize("ms", [1 << 53, -(1 << 53)])
def test_what_is_asked_of_a_past_is_answered_at_the_last_time_that_is_taken(ms: int) -> None:
    state, pages = handed()
    state["outlets"][0]["log"]["dts_ms"] = ms
    past = go_on(state, pages).timeshift
    assert past.time_of(CLIP.start) == ms - 2000
    assert past.find(CLIP.start) is not None
    assert ("can be had from" in past.refusal("x", CLIP)) == (ms < 0)


@pytest.mark.parametrize("ms", FAR)
@pytest.mark.parametrize(
    "change",
    [
        lambda log, past, ms: log.update(dts_ms=ms),
        lambda log, past, ms: log.update(index=told(log["index"], ms)),
        lambda log, past, ms: past["places"][1].__setitem__(1, ms),
    ],
    ids=["log", "tag", "place"],
)
def test_a_time_that_nobody_can_count_with_is_refused_with_its_stream(
    change: Callable[[dict[str, Any], dict[str, Any], int], None], ms: int
) -> None:
    state, pages = handed()
    change(state["outlets"][0]["log"], state["past"], ms)
    with pytest.raises(HandoverError):
        go_on(state, pages)


@pytest.mark.parametrize("ms", FAR)
def test_a_page_with_such_a_time_is_refused_alone(ms: int) -> None:
    state, pages = handed()
    pages[1]["index"] = told(pages[1]["index"], ms)
    stream = Stream(StreamName("v", "live", "x"), OPTIONS, id="vid-y", now_ms=0)
    restore_stream(stream, state)
    with pytest.raises(HandoverError):
        take_past(stream, pages)
    assert stream.timeshift.excerpt(CLIP).take(1 << 30)


@pytest.mark.parametrize("ms", [-1, 253_402_300_800_000, 1 << 62])
def test_a_place_at_a_time_of_the_clock_that_cannot_be_written_is_refused(ms: int) -> None:
    state, pages = handed()
    state["past"]["places"][0][2] = ms - 1 if ms > 0 else 0
    if ms != 1 << 62:
        assert go_on(state, pages).timeshift.refusal(
            "x", ClipWish(Moment("-99", ago_ms=99_000), Moment("-0"))
        )
    state["past"]["places"][0][2] = ms
    with pytest.raises(HandoverError):
        go_on(state, pages)
