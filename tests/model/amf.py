"""AMF 0 and AMF 3, slow and obvious: no bounds, no leniency, whole values only."""

from __future__ import annotations

import struct
from io import BytesIO

from fastflv.media.amf.values import UNDEFINED, Date, EcmaArray, TypedObject, Xml


def read0(source: BytesIO):
    """Read one AMF 0 value; a reference is not known here."""
    kind = source.read(1)[0]
    if kind == 0:
        return struct.unpack(">d", source.read(8))[0]
    if kind == 1:
        return source.read(1) == b"\1"
    if kind == 2:
        return text(source, 2)
    if kind == 3:
        return pairs(source)
    if kind == 5:
        return None
    if kind == 6:
        return UNDEFINED
    if kind == 8:
        source.read(4)
        return EcmaArray(pairs(source))
    if kind == 10:
        return [read0(source) for _ in range(struct.unpack(">I", source.read(4))[0])]
    if kind == 11:
        return Date(*struct.unpack(">dh", source.read(10)))
    if kind == 12:
        return text(source, 4)
    if kind == 15:
        return Xml(text(source, 4))
    if kind == 16:
        return TypedObject(text(source, 2), pairs(source))
    raise ValueError(kind)


def text(source: BytesIO, width: int) -> str:
    size = int.from_bytes(source.read(width), "big")
    return source.read(size).decode()


def pairs(source: BytesIO) -> dict:
    found = {}
    while True:
        name = text(source, 2)
        if name == "":
            mark = source.read(1)
            if mark == b"\x09":
                return found
            source.seek(-1, 1)
        found[name] = read0(source)


def u29(number: int) -> bytes:
    """The variable-length integer of AMF 3."""
    if number < 0x80:
        return bytes([number])
    if number < 0x4000:
        return bytes([number >> 7 | 0x80, number & 0x7F])
    if number < 0x200000:
        return bytes([number >> 14 | 0x80, number >> 7 & 0x7F | 0x80, number & 0x7F])
    return bytes([number >> 22 | 0x80, number >> 15 & 0x7F | 0x80, number >> 8 & 0x7F | 0x80, number & 0xFF])


class Writer3:
    """Writes AMF 3. Equal strings and equal shapes become references, as real encoders do."""

    def __init__(self) -> None:
        self.strings: list[str] = []
        self.shapes: list[tuple] = []

    def string(self, value: str) -> bytes:
        if value == "":
            return b"\x01"
        if value in self.strings:
            return u29(self.strings.index(value) << 1)
        self.strings.append(value)
        raw = value.encode()
        return u29(len(raw) << 1 | 1) + raw

    def value(self, value) -> bytes:
        if value is UNDEFINED:
            return b"\x00"
        if value is None:
            return b"\x01"
        if value is False:
            return b"\x02"
        if value is True:
            return b"\x03"
        if isinstance(value, float) and value.is_integer() and -(1 << 28) <= value < 1 << 28 and value != 0:
            return b"\x04" + u29(int(value) & 0x1FFFFFFF)
        if isinstance(value, float):
            return b"\x05" + struct.pack(">d", value)
        if isinstance(value, Xml):
            return b"\x0b" + u29(len(value.encode()) << 1 | 1) + value.encode()
        if isinstance(value, str):
            return b"\x06" + self.string(value)
        if isinstance(value, Date):
            return b"\x08\x01" + struct.pack(">d", value.ms)
        if isinstance(value, bytes):
            return b"\x0c" + u29(len(value) << 1 | 1) + value
        if isinstance(value, list):
            return b"\x09" + u29(len(value) << 1 | 1) + b"\x01" + b"".join(map(self.value, value))
        if isinstance(value, EcmaArray):
            return b"\x09\x01" + self.named(value)
        if isinstance(value, TypedObject):
            return (
                b"\x0a"
                + self.shape(value.class_name, tuple(value), 3)
                + b"".join(map(self.value, value.values()))
            )
        return b"\x0a" + self.shape("", (), 11) + self.named(value)

    def named(self, value: dict) -> bytes:
        return b"".join(self.string(name) + self.value(item) for name, item in value.items()) + b"\x01"

    def shape(self, class_name: str, names: tuple, bits: int) -> bytes:
        """Traits in full (*bits* 3, or 11 for a dynamic class), or a reference to the same ones."""
        if (class_name, names, bits) in self.shapes:
            return u29(self.shapes.index((class_name, names, bits)) << 2 | 1)
        out = u29(len(names) << 4 | bits) + self.string(class_name) + b"".join(map(self.string, names))
        self.shapes.append((class_name, names, bits))
        return out
