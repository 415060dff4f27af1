"""Ranges of a representation that a request asks for.

Spec: RFC 9110, 14.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

RANGE: Final = re.compile(r"([0-9]*)\s*-\s*([0-9]*)")

DIGITS_MAX: Final = 19
"A number with more digits is beyond every file."


class ByteRange(NamedTuple):
    """Part of a representation."""

    offset: int
    size: int
    "Bytes, 1 at least."


class UnsatisfiableRange(Exception):
    """No byte of the representation is asked for: 416."""


def parse_range(field: str, size: int) -> ByteRange | None:
    """Return the range that *field*, a Range header, asks of *size* bytes; None: answer with the whole.

    A field that is malformed, has another unit or names several ranges is answered with the whole, as the
    specification allows: no player asks for several, and they let one request read a file many times over.
    Raises UnsatisfiableRange.
    """
    unit, equals, listed = field.partition("=")
    if unit.strip().lower() != "bytes" or not equals or "," in listed:
        return None
    found = RANGE.fullmatch(listed.strip())
    if found is None:
        return None
    first, last = found[1], found[2]
    if not first:
        return _suffix(last, size) if last else None
    begin = _number(first)
    end = _number(last) if last else size - 1
    if last and end < begin:
        return None
    if begin >= size:
        raise UnsatisfiableRange
    return ByteRange(begin, min(end, size - 1) - begin + 1)


def _suffix(digits: str, size: int) -> ByteRange:
    wanted = min(_number(digits), size)
    if not wanted:
        raise UnsatisfiableRange
    return ByteRange(size - wanted, wanted)


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= DIGITS_MAX else 10**DIGITS_MAX
