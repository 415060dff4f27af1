"""CRC-32/MPEG-2 against the same, bit by bit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.ts import crc

from fastflv._ext.ts.crc32 import crc32


@given(st.binary(max_size=300))
def test_the_crc_is_that_of_the_model(data):
    assert crc32(data) == crc(data)


@given(st.binary(max_size=180))
def test_a_section_with_its_own_crc_gives_zero(data):
    assert crc32(data + crc32(data).to_bytes(4, "big")) == 0


def test_known_values():
    assert crc32(b"") == 0xFFFFFFFF
    assert crc32(b"123456789") == 0x0376E6E7


def test_a_real_pat_is_whole():
    # From a TS of SRS.
    assert crc32(bytes.fromhex("00b00d0001c100000001f0012e701905")) == 0


@pytest.mark.parametrize("buffer", [bytearray(b"abc"), memoryview(b"abc")], ids=["bytearray", "memoryview"])
def test_any_buffer_is_taken(buffer):
    assert crc32(buffer) == crc(b"abc")
