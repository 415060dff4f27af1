"""Range fields: which bytes are asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv.protocols.http.ranges import ByteRange, UnsatisfiableRange, parse_range

SIZE = 100


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-99", (0, 100)),
        ("bytes=10-", (10, 90)),
        ("bytes=10-1000000000000000000000000000", (10, 90)),
        ("bytes=-1", (99, 1)),
        ("bytes=-1000", (0, 100)),
        ("Bytes = 5-6 ", (5, 2)),
        ("bytes=5 - 6", (5, 2)),
    ],
)
def test_a_range_is_cut_to_what_there_is(field, wanted):
    assert parse_range(field, SIZE) == ByteRange(*wanted)


@pytest.mark.parametrize(
    "field",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "lines=1-2",
        "bytes=7-3",
        "bytes=0-1,5-6",
        "bytes=1-2-3",
        "bytes=+1-2",
    ],
)
def test_the_whole_answers_what_is_no_range_and_several_ranges(field):
    assert parse_range(field, SIZE) is None


@pytest.mark.parametrize(
    "field", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999999-"]
)
def test_a_range_without_a_byte_is_unsatisfiable(field):
    with pytest.raises(UnsatisfiableRange):
        parse_range(field, SIZE)


def test_an_empty_file_has_no_range():
    for field in ("bytes=0-", "bytes=0-0", "bytes=-5"):
        with pytest.raises(UnsatisfiableRange):
            parse_range(field, 0)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 50))
def test_a_range_is_the_slice_that_its_numbers_say(first, last, size):
    data = bytes(range(size))
    try:
        found = parse_range(f"bytes={first}-{last}", size)
    except UnsatisfiableRange:
        assert not data[first:]
        return
    if last < first:
        assert found is None
    else:
        assert found is not None
        assert data[found.offset : found.offset + found.size] == data[first : last + 1] != b""


@given(st.text(max_size=30), st.integers(0, 10**12))
def test_whatever_is_asked_the_range_lies_in_the_file(text, size):
    for field in (text, f"bytes={text}"):
        try:
            found = parse_range(field, size)
        except UnsatisfiableRange:
            continue
        if found is not None:
            assert 0 <= found.offset < found.offset + found.size <= size
