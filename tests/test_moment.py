"""Moments of the past as requests write them."""

from __future__ import annotations

import pytest

from fastflv.errors import UsageError
from fastflv.stream.moment import Moment, RewindWish, parse_moment, rewind_of, wall_text

NOON = 1_769_860_800_000
"2026-01-31, 12:00 UTC."


@pytest.mark.parametrize(
    ("text", "ago_ms", "wall_ms"),
    [
        ("-45", 45_000, 0),
        ("-0.5", 500, 0),
        ("0", 0, 0),
        ("1769860800", 0, NOON),
        ("1769860800.25", 0, NOON + 250),
        ("2026-01-31T12:00:00Z", 0, NOON),
        ("2026-01-31T12:00:00", 0, NOON),
        ("2026-01-31T13:00:00+01:00", 0, NOON),
        ("2026-01-31T13:00:00 01:00", 0, NOON),
        ("2026-01-31 12:00", 0, NOON),
    ],
)
def test_a_moment_is_seconds_ago_or_a_time_of_the_clock(text, ago_ms, wall_ms):
    assert parse_moment("from", text) == Moment(text, ago_ms, wall_ms)


@pytest.mark.parametrize(
    "text", ["45", "-", "-1e3", "1.2.3", "2026-13-01", "-9" * 20, "12:00", "2026-01-31T25:00"]
)
def test_what_is_no_moment_is_refused_with_what_to_write(text):
    with pytest.raises(UsageError, match=r"from=.*write seconds before now"):
        parse_moment("from", text)


def test_a_query_asks_for_the_past_by_from_and_for_a_rate_by_chase():
    assert rewind_of({"from": "-45"}) == RewindWish(Moment("-45", 45_000), 1.0)
    assert rewind_of({"from": "-45", "chase": "1.1"}) == RewindWish(Moment("-45", 45_000), 1.1)
    for absent in ({}, {"from": ""}, {"from": "singlemessage"}, {"chase": "7"}):
        assert rewind_of(absent) is None


@pytest.mark.parametrize("chase", ["0.9", "1.6", "fast", "-1.1"])
def test_a_rate_out_of_bounds_is_refused(chase):
    with pytest.raises(UsageError, match="chase="):
        rewind_of({"from": "-45", "chase": chase})


def test_a_time_is_shown_as_it_may_be_asked_for():
    assert wall_text(NOON) == "2026-01-31T12:00:00Z"
    assert parse_moment("from", wall_text(NOON)).wall_ms == NOON
