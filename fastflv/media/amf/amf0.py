"""AMF 0: the values in RTMP commands and FLV script tags, both ways.

Reading is lenient where encoders are known to be wrong: the count of an ECMA array is only a hint,
and an object whose end marker was cut off ends with the data. Nothing else is guessed.

Spec: AMF 0 (Adobe, 2007), section 2.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from fastflv import limits
from fastflv.errors import AmfError, UsageError
from fastflv.media.amf import amf3
from fastflv.media.amf.values import (
    UNDEFINED,
    AmfInput,
    Budget,
    Date,
    EcmaArray,
    Referable,
    TypedObject,
    Undefined,
    Value,
    Xml,
    name_of,
    text_of,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

NUMBER, BOOLEAN, STRING, OBJECT = 0, 1, 2, 3
NULL, UNDEFINED_MARKER, REFERENCE, ECMA_ARRAY = 5, 6, 7, 8
OBJECT_END, STRICT_ARRAY, DATE, LONG_STRING = 9, 10, 11, 12
UNSUPPORTED, XML, TYPED_OBJECT, AVMPLUS = 13, 15, 16, 17

_DOUBLE = struct.Struct(">d")
_DATE = struct.Struct(">dh")
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")


def decode(data: Buffer, offset: int = 0) -> tuple[Value, int]:
    """Read one value at *offset*; return it and the offset behind it.

    Raises AmfError where the data ends early, nests over AMF_DEPTH_MAX or holds over AMF_VALUES_MAX values.
    """
    reader = _Reader(bytes(data), offset)
    return reader.value(), reader.at


def decode_all(data: Buffer, offset: int = 0) -> list[Value]:
    """Read values from *offset* to the end of *data*; the bounds hold for all of them together."""
    reader = _Reader(bytes(data), offset)
    values = []
    while reader.at < len(reader.data):
        values.append(reader.value())
    return values


def encode(*values: Value) -> bytes:
    """Write *values* one after another.

    ``bytes`` (from AMF 3) become the marker "unsupported". Raises UsageError for what AMF 0 cannot say:
    other types, names over 65,535 bytes, nesting over twice AMF_DEPTH_MAX.
    """
    out = bytearray()
    for value in values:
        _write(out, value, 0)
    return bytes(out)


class _Reader(AmfInput):
    """A place in the data, the table of values that references name, and what may still be spent."""

    __slots__ = ("budget", "table")

    def __init__(self, data: bytes, at: int) -> None:
        super().__init__(data, at)
        self.budget = Budget()
        self.table: list[Referable] = []

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def value(self) -> Value:
        start = self.at
        marker = self.take(1)[0]
        self.budget.spend(1, start)
        if marker == NUMBER:
            number: float = _DOUBLE.unpack(self.take(8))[0]
            return number
        if marker == BOOLEAN:
            return self.take(1) != b"\0"
        if marker == STRING:
            return text_of(self.take(self.u16()), start)
        if marker in (OBJECT, ECMA_ARRAY, STRICT_ARRAY, TYPED_OBJECT):
            return self.complex(marker, start)
        if marker == NULL:
            return None
        if marker in (UNDEFINED_MARKER, UNSUPPORTED):
            return UNDEFINED
        if marker == REFERENCE:
            index = self.u16()
            if index >= len(self.table):
                raise AmfError(f"reference {index} of {len(self.table)}", offset=start)
            return self.table[index].copy(self.budget, start)
        if marker == DATE:
            return Date(*_DATE.unpack(self.take(10)))
        if marker == LONG_STRING:
            return text_of(self.take(self.u32()), start)
        if marker == XML:
            return Xml(text_of(self.take(self.u32()), start))
        if marker == AVMPLUS:
            value, self.at = amf3.decode(self.data, self.at, self.budget)
            return value
        raise AmfError(f"marker {marker}", offset=start)

    def complex(self, marker: int, start: int) -> Value:
        budget = self.budget
        kept = Referable(None, budget, start)
        self.table.append(kept)
        budget.enter(start)
        value: Value
        if marker == STRICT_ARRAY:
            value = self.items(start)
        elif marker == TYPED_OBJECT:
            name = name_of(self.take(self.u16()), start)
            value = TypedObject(name, self.pairs())
        elif marker == ECMA_ARRAY:
            self.u32()  # a hint that encoders get wrong; the end marker decides
            value = EcmaArray(self.pairs())
        else:
            value = self.pairs()
        budget.leave()
        kept.finish(value, budget, self.at)
        return value

    def items(self, start: int) -> list[Value]:
        count = self.u32()
        if count > len(self.data) - self.at:  # a value takes a byte at least
            raise AmfError(f"an array of {count} values in {len(self.data) - self.at} bytes", offset=start)
        return [self.value() for _ in range(count)]

    def pairs(self) -> dict[str, Value]:
        pairs: dict[str, Value] = {}
        data = self.data
        while True:
            left = len(data) - self.at
            if left < 3 and not any(data[self.at :]):  # the end marker was cut off with the data
                self.at = len(data)
                return pairs
            start = self.at
            name = name_of(self.take(self.u16()), start)
            if not name and self.at < len(data) and data[self.at] == OBJECT_END:
                self.at += 1
                return pairs
            pairs[name] = self.value()


def _write(out: bytearray, value: Value, depth: int) -> None:
    if isinstance(value, bool):
        out += b"\1\1" if value else b"\1\0"
    elif isinstance(value, (float, int)):
        out.append(NUMBER)
        out += _DOUBLE.pack(value)
    elif isinstance(value, str):
        raw = value.encode("utf-8", "replace")
        if isinstance(value, Xml):
            out.append(XML)
            out += _U32.pack(len(raw))
        elif len(raw) > 0xFFFF:
            out.append(LONG_STRING)
            out += _U32.pack(len(raw))
        else:
            out.append(STRING)
            out += _U16.pack(len(raw))
        out += raw
    elif value is None:
        out.append(NULL)
    elif isinstance(value, Undefined):
        out.append(UNDEFINED_MARKER)
    elif isinstance(value, (dict, list)):
        if depth >= 2 * limits.AMF_DEPTH_MAX:
            raise UsageError("a value too deep to encode")
        _write_complex(out, value, depth + 1)
    elif isinstance(value, Date):
        out.append(DATE)
        out += _DATE.pack(value.ms, value.zone)
    elif isinstance(value, bytes):
        out.append(UNSUPPORTED)
    else:
        raise UsageError(f"AMF 0 has no {type(value).__name__}")


def _write_complex(out: bytearray, value: dict[str, Value] | list[Value], depth: int) -> None:
    if isinstance(value, list):
        out.append(STRICT_ARRAY)
        out += _U32.pack(len(value))
        for item in value:
            _write(out, item, depth)
        return
    if isinstance(value, TypedObject):
        out.append(TYPED_OBJECT)
        _write_name(out, value.class_name)
    elif isinstance(value, EcmaArray):
        out.append(ECMA_ARRAY)
        out += _U32.pack(len(value))
    else:
        out.append(OBJECT)
    for name, item in value.items():
        _write_name(out, name)
        _write(out, item, depth)
    out += b"\0\0\x09"


def _write_name(out: bytearray, name: str) -> None:
    raw = name.encode("utf-8", "replace")
    if len(raw) > 0xFFFF:
        raise UsageError("a property name over 65535 bytes")
    out += _U16.pack(len(raw))
    out += raw
