"""NAL units in frames: lengths in front of them, as FLV and MP4 want it, or start codes, as some encoders send.

Spec: ISO 14496-15, 4.3.3 (lengths); H.264, annex B (start codes).
"""

from __future__ import annotations

import re

START_CODE = re.compile(rb"\x00?\x00\x00\x01")


def has_lengths(data: bytes, length_size: int) -> bool:
    """Whether *data* is units with lengths, to the last byte."""
    at = 0
    while at + length_size <= len(data):
        at += length_size + int.from_bytes(data[at : at + length_size], "big")
    return at == len(data)


def to_lengths(data: bytes, length_size: int) -> bytes:
    """Return *data* with lengths before its units; as it is when it does not begin with a start code."""
    if (data[:3] != b"\0\0\1" and data[:4] != b"\0\0\0\1") or has_lengths(data, length_size):
        return data
    units = [unit for unit in START_CODE.split(data) if unit]
    if any(len(unit) >> 8 * length_size for unit in units):
        return data
    return b"".join(len(unit).to_bytes(length_size, "big") + unit for unit in units)
