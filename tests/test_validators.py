"""Conditional requests against the validators of a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv.protocols.http.validators import Validators, is_failed, is_range_wanted, is_unmodified

FILE = Validators('"v1"', 784_111_777)
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
RFC_850 = "Sunday, 06-Nov-94 08:49:37 GMT"
ASCTIME = "Sun Nov  6 08:49:37 1994"


@pytest.mark.parametrize(
    ("headers", "unmodified"),
    [
        ({}, False),
        ({"if-none-match": '"v1"'}, True),
        ({"if-none-match": 'W/"v1"'}, True),
        ({"if-none-match": '"v0", "v1"'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"v0"'}, False),
        ({"if-none-match": "v1"}, False),
        ({"if-modified-since": DATE}, True),
        ({"if-modified-since": RFC_850}, True),
        ({"if-modified-since": ASCTIME}, True),
        ({"if-modified-since": BEFORE}, False),
        ({"if-modified-since": "yesterday"}, False),
        ({"if-none-match": '"v0"', "if-modified-since": DATE}, False),
    ],
)
def test_a_client_that_has_this_version_is_told_so(headers, unmodified):
    assert is_unmodified(headers, FILE) is unmodified


@pytest.mark.parametrize(
    ("headers", "failed"),
    [
        ({}, False),
        ({"if-match": '"v1"'}, False),
        ({"if-match": "*"}, False),
        ({"if-match": '"v0"'}, True),
        ({"if-match": 'W/"v1"'}, True),
        ({"if-unmodified-since": DATE}, False),
        ({"if-unmodified-since": BEFORE}, True),
        ({"if-unmodified-since": "?"}, False),
    ],
)
def test_a_condition_that_does_not_hold_fails(headers, failed):
    assert is_failed(headers, FILE) is failed


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("", True),
        ('"v1"', True),
        ('W/"v1"', False),
        ('"v0"', False),
        (DATE, True),
        (BEFORE, False),
        ("?", False),
    ],
)
def test_a_part_is_sent_of_the_version_that_the_client_has_a_part_of(condition, wanted):
    assert is_range_wanted({"if-range": condition} if condition else {}, FILE) is wanted


def test_two_versions_of_one_second_have_different_tags():
    one, other = (Validators.of_file(5, 10**18 + n, 7) for n in (0, 1))
    assert one.etag != other.etag
    assert one.fields["Last-Modified"] == other.fields["Last-Modified"] == "Sun, 09 Sep 2001 01:46:40 GMT"


@given(
    st.dictionaries(
        st.sampled_from(["if-none-match", "if-modified-since", "if-match", "if-range"]), st.text(max_size=40)
    )
)
def test_no_field_raises(headers):
    is_unmodified(headers, FILE), is_failed(headers, FILE), is_range_wanted(headers, FILE)
