"""Dates of HTTP, against those of the standard library."""

from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv.protocols.http.date import http_date, seconds_of

AT = 784_111_777
LAST_SECOND = 253_402_300_799
"Of the year 9999."


@given(st.integers(0, LAST_SECOND))
def test_a_date_is_that_of_the_standard_library_and_is_read_back(seconds):
    date = http_date(seconds)
    assert date == email.utils.formatdate(seconds, usegmt=True)
    assert seconds_of(date) == seconds


@pytest.mark.parametrize(
    "date",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_a_recipient_takes_all_three_forms(date):
    assert seconds_of(date) == AT


def test_a_year_of_two_digits_is_the_nearest_that_is_not_far_ahead():
    assert seconds_of("Monday, 01-Jan-01 00:00:00 GMT") == 978_307_200
    assert seconds_of("Friday, 01-Jan-99 00:00:00 GMT") == 915_148_800


def test_a_leap_second_is_taken():
    assert seconds_of("Sat, 31 Dec 2016 23:59:60 GMT") == 1_483_228_799


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "yesterday",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37 +0100",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Abc 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 1994 08:61:37 GMT",
        "Sun, \u0660\u0666 Nov 1994 08:49:37 GMT",
    ],
)
def test_what_is_no_date_is_none(text):
    assert seconds_of(text) is None


@given(st.text(max_size=40))
def test_no_text_raises(text):
    seconds_of(text)
