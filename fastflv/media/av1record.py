"""The AV1 configuration record of a stream whose publisher sent none: made of its first keyframe.

Spec: AV1, 5.3 (OBU), 5.5 (sequence header); AV1 in ISOBMFF, 2.3.3 (av1C).
"""

from __future__ import annotations

from typing import Final

from fastflv.errors import CodecConfigError
from fastflv.media.bits import BitReader, read_leb128

_SEQUENCE_HEADER: Final = 1
_SELECT: Final = 2


def av1_record(unit: bytes) -> bytes:
    """Return an av1C record with the sequence header in a temporal *unit*. Raises CodecConfigError when it has none."""
    at = 0
    while at < len(unit):
        head = unit[at]
        at += 2 if head & 4 else 1
        size = len(unit) - at
        if head & 2:
            size, at = read_leb128(unit, at)
        if at + size > len(unit):
            raise CodecConfigError("an OBU that ends behind its unit", offset=at)
        if head >> 3 & 15 == _SEQUENCE_HEADER:
            return _record(unit[at : at + size])
        at += size
    raise CodecConfigError("a keyframe without sequence header")


def _record(payload: bytes) -> bytes:
    bits = BitReader(payload)
    profile = bits.bits(3)
    bits.skip(1)
    if bits.flag():  # reduced still picture header
        level, tier = bits.bits(5), 0
        reduced = True
    else:
        level, tier = _operating_point(bits)
        reduced = False
    _skip_sizes(bits, reduced)
    colour = _colour(bits, profile)
    head = bytes([0x81, profile << 5 | level, tier << 7 | colour, 0])
    return head + b"\x0a" + _as_leb128(len(payload)) + payload


def _operating_point(bits: BitReader) -> tuple[int, int]:
    """Level and tier of the first operating point."""
    delay_bits = 0
    model = False
    if bits.flag():  # timing info
        bits.skip(64)
        if bits.flag():
            bits.ue()
        model = bits.flag()
        if model:
            delay_bits = bits.bits(5) + 1
            bits.skip(42)
    delay_given = bits.flag()
    first = (0, 0)
    for index in range(bits.bits(5) + 1):
        bits.skip(12)
        level = bits.bits(5)
        tier = bits.bits(1) if level > 7 else 0
        if model and bits.flag():
            bits.skip(2 * delay_bits + 1)
        if delay_given and bits.flag():
            bits.skip(4)
        if index == 0:
            first = (level, tier)
    return first


def _skip_sizes(bits: BitReader, reduced: bool) -> None:
    """From the picture size to the film grain bit, without the colours."""
    width, height = bits.bits(4) + 1, bits.bits(4) + 1
    bits.skip(width + height)
    if not reduced and bits.flag():  # frame ids
        bits.skip(7)
    bits.skip(3)  # superblock, filter intra, intra edge
    if not reduced:
        bits.skip(4)  # interintra, masked, warped, dual filter
        ordered = bits.flag()
        if ordered:
            bits.skip(2)
        tools = _SELECT if bits.flag() else bits.bits(1)
        if tools and not bits.flag():
            bits.skip(1)
        if ordered:
            bits.skip(3)
    bits.skip(3)  # super resolution, cdef, restoration


def _colour(bits: BitReader, profile: int) -> int:
    """The seven bits of av1C behind the tier (AV1, 5.5.2)."""
    high = bits.bits(1)
    twelve = bits.bits(1) if profile == 2 and high else 0
    mono = bits.bits(1) if profile != 1 else 0
    primaries = transfer = matrix = 2
    if bits.flag():
        primaries, transfer, matrix = bits.bits(8), bits.bits(8), bits.bits(8)
    place = 0
    if mono:
        x = y = 1
    elif (primaries, transfer, matrix) == (1, 13, 0):  # sRGB
        x = y = 0
    else:
        bits.skip(1)  # range
        if profile == 0:
            x = y = 1
        elif profile == 1:
            x = y = 0
        elif twelve:
            x = bits.bits(1)
            y = bits.bits(1) if x else 0
        else:
            x, y = 1, 0
        place = bits.bits(2) if x and y else 0
    return high << 6 | twelve << 5 | mono << 4 | x << 3 | y << 2 | place


def _as_leb128(number: int) -> bytes:
    """AV1, 4.10.5: seven bits a byte, the least first; the eighth says that another follows."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
