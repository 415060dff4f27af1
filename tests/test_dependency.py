"""Headers of coded pictures: whatever bytes come, an answer; tests/flows/test_flow_reference.py asks real encoders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv._ext.ingest.dependency import disposable

AVC, HEVC, AV1 = 7, 12, 13
CODECS = st.sampled_from([AVC, HEVC, AV1, 0x61766331, 0x68766331, 0x61763031, 0x76703039])
AVCC = b"\x01\x64\x00\x1f\xff"
HVCC = b"\x01" + bytes(20) + b"\x0f"


def unit(*bytes_: int) -> bytes:
    return len(bytes_).to_bytes(4, "big") + bytes(bytes_)


@given(CODECS, st.binary(max_size=60), st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes_are_answered(codec: int, record: bytes, units: list[bytes]) -> None:
    assert len(disposable(codec, record, units)) == len(units)


@pytest.mark.parametrize(
    ("units", "spare"),
    [
        (unit(0x01, 0x9E), True),
        (unit(0x41, 0x9A), False),
        (unit(0x06, 5) + unit(0x01, 0x9E), True),
        (unit(0x01, 0x9E) + unit(0x41, 0x9A), False),
        (unit(0x67, 1) + unit(0x01, 0x9E), False),
        (unit(0x06, 5), False),
        (b"\0\0\0\x09\x01\x9e", False),
        (b"", False),
    ],
)
def test_a_picture_is_disposable_when_all_its_slices_are(units: bytes, spare: bool) -> None:
    assert disposable(AVC, AVCC, [units]) == [spare]


def test_a_layer_below_the_highest_seen_is_needed() -> None:
    low, high = unit(0x00, 0x01), unit(0x04, 0x02)
    # The first is spare as far as anybody knows: the record says one layer.
    assert disposable(HEVC, HVCC, [low, high, low]) == [True, True, False]


def test_of_other_codecs_nothing_is_told() -> None:
    assert disposable(0x76703039, b"", [b"\0\0\0\1\x01"]) == [False]
