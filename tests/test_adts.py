"""ADTS headers against a reader of bits, and what they cannot say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.ts import Adts, read_adts

from fastflv._ext.syntax.adts import adts


@given(st.integers(1, 4), st.integers(0, 12), st.integers(1, 7), st.integers(1, 8184))
def test_a_header_says_what_it_was_given(object_type, rate_index, channels, size):
    frame = bytes(size)
    data = adts(frame, object_type, rate_index, channels)
    assert read_adts(data) == [Adts(object_type, rate_index, channels, frame)]


def test_a_known_header():
    # AAC-LC, 44.1 kHz, stereo, 100 bytes: as FFmpeg writes it.
    assert adts(bytes(100), 2, 4, 2)[:7].hex() == "fff150800d7ffc"


@pytest.mark.parametrize("fields", [(0, 4, 2), (5, 4, 2), (2, -1, 2), (2, 13, 2), (2, 4, -1), (2, 4, 8)])
def test_what_a_header_cannot_say_is_refused(fields):
    with pytest.raises(ValueError, match="no ADTS header for AAC"):
        adts(bytes(100), *fields)


@pytest.mark.parametrize("size", [0, 8185, 20_000])
def test_a_frame_without_bytes_or_with_too_many_is_refused(size):
    with pytest.raises(ValueError, match=f"frame of {size} bytes"):
        adts(bytes(size), 2, 4, 2)
