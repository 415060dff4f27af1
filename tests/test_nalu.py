"""NAL units against the same in a few lines of Python: every length, every cut."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from model.ts import from_lengths, units

from fastflv._ext.syntax.nalu import annexb, scan

AUD, VPS, SPS, PPS, IRAP = 1, 2, 4, 8, 16
SIZES = st.sampled_from([1, 2, 3, 4])
# As encoders write them: no start code inside, no zero at the end.
CODED = st.binary(min_size=1, max_size=40).map(lambda data: data.replace(b"\0", b"\1"))


def with_lengths(nalus: list[bytes], size: int) -> bytes:
    return b"".join(len(nalu).to_bytes(size, "big") + nalu for nalu in nalus)


@given(st.lists(CODED, min_size=1, max_size=8), SIZES)
def test_units_come_out_as_they_went_in(nalus, size):
    coded = annexb(with_lengths(nalus, size), size)
    assert units(coded) == nalus
    assert scan(with_lengths(nalus, size), size)[:2] == (len(coded), len(nalus))


@given(st.binary(max_size=60), SIZES)
@example(b"\0\0\0\1", 4)
@example(b"\0\0\0\0", 4)
@example(b"\xff\xff\xff\xffx", 4)
def test_whatever_the_bytes_they_are_read_as_by_the_model(data, size):
    expected = from_lengths(data, size)
    if expected is None:
        assert annexb(data, size) is None
        assert scan(data, size) is None
    else:
        assert annexb(data, size) == b"".join(b"\0\0\0\1" + nalu for nalu in expected)


@given(st.lists(CODED, min_size=1, max_size=4), SIZES, st.data())
def test_the_units_before_one_that_is_cut_are_read(nalus, size, data):
    whole = with_lengths(nalus, size)
    cut = data.draw(st.integers(0, len(whole)))
    there = [count for count in range(len(nalus) + 1) if len(with_lengths(nalus[:count], size)) <= cut]
    coded = annexb(whole[:cut], size)
    assert (units(coded) if coded else []) == nalus[: there[-1]]


def test_empty_units_are_left_out():
    assert annexb(with_lengths([b"", b"a", b"", b"b"], 2), 2) == b"\0\0\0\1a\0\0\0\1b"
    assert annexb(with_lengths([b"", b""], 4), 4) is None


@pytest.mark.parametrize("size", [5, -1])
def test_other_length_sizes_are_refused(size):
    with pytest.raises(ValueError, match="NAL unit lengths"):
        annexb(b"", size)


@given(st.lists(CODED, min_size=1, max_size=6), st.data())
def test_start_codes_of_any_length_part_units(nalus, data):
    code = st.sampled_from([b"\0\0\1", b"\0\0\0\1", b"\0\0\0\0\0\1"])
    coded = b"".join(data.draw(code) + nalu for nalu in nalus) + data.draw(st.sampled_from([b"", b"\0\0"]))
    assert units(annexb(coded, 0)) == nalus


@given(st.binary(max_size=60))
@example(b"\0\0\1\0\0\0\1\0\0\1")
@example(b"\0\0")
def test_bytes_with_or_without_start_codes_are_no_harm(data):
    coded = annexb(data, 0)
    assert (coded is None) == (not any(part.strip(b"\0") for part in data.split(b"\0\0\1")[1:]))


@pytest.mark.parametrize(
    ("nalus", "hevc", "found"),
    [
        ([b"\x67", b"\x68", b"\x65"], False, SPS | PPS | IRAP),
        ([b"\x09\xf0", b"\x41"], False, AUD),
        ([b"\x41", b"\x09\xf0"], False, 0),
        ([b"\x06", b"\x01"], False, 0),
        ([b"\x40\1", b"\x42\1", b"\x44\1", b"\x26\1"], True, VPS | SPS | PPS | IRAP),
        ([b"\x46\1\x50", b"\x02\1"], True, AUD),
        ([b"\x02\1", b"\x46\1\x50"], True, 0),
        ([b"\x2a\1"], True, IRAP),
        ([b"\x20\1"], True, IRAP),
        ([b"\x1e\1"], True, 0),
        ([b"\x4e\1"], True, 0),
    ],
)
def test_what_is_in_band_is_found(nalus, hevc, found):
    assert scan(with_lengths(nalus, 4), 4, hevc=hevc)[2] == found
