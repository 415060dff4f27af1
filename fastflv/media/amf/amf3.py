"""AMF 3, read only: what a peer with object encoding 3 may put behind the avmplus marker.

References give copies, as if the value had been sent again; the message pays for each (`Budget`).

Spec: AMF 3 (Adobe, January 2013), section 3. Vectors and dictionaries are refused.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from fastflv import limits
from fastflv.errors import AmfError
from fastflv.media.amf.values import (
    UNDEFINED,
    AmfInput,
    Budget,
    Date,
    EcmaArray,
    Referable,
    TypedObject,
    Value,
    Xml,
    name_of,
    text_of,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

UNDEFINED_MARKER, NULL, FALSE, TRUE, INTEGER, DOUBLE = 0, 1, 2, 3, 4, 5
STRING, XML_DOC, DATE, ARRAY, OBJECT, XML, BYTE_ARRAY = 6, 7, 8, 9, 10, 11, 12

WRAPPERS = frozenset(
    {
        "flex.messaging.io.ArrayCollection",
        "flex.messaging.io.ArrayList",
        "flex.messaging.io.ObjectProxy",
    }
)
"Externalizable classes whose body is one value. Any other body has a private form and cannot be skipped."

_DOUBLE = struct.Struct(">d")


class _Traits(NamedTuple):
    """The shape of a class: what every object of it repeats."""

    class_name: str
    names: tuple[str, ...]
    dynamic: bool
    external: bool
    size: int  # bytes on the wire, paid again by each object that only refers to them


def decode(data: Buffer, offset: int = 0, budget: Budget | None = None) -> tuple[Value, int]:
    """Read one value at *offset*; return it and the offset behind it.

    The tables of strings, objects and traits begin empty. Integers come as ``float``, as in AMF 0. A
    *budget* goes on with the bounds of the message around it. Raises AmfError as `amf0.decode`.
    """
    reader = _Reader(bytes(data), offset, budget or Budget())
    return reader.value(), reader.at


class _Reader(AmfInput):
    """A place in the data and the three tables (AMF 3, 2.2)."""

    __slots__ = ("budget", "objects", "strings", "traits")

    def __init__(self, data: bytes, at: int, budget: Budget) -> None:
        super().__init__(data, at)
        self.budget = budget
        self.strings: list[tuple[str, int]] = []
        self.objects: list[Referable] = []
        self.traits: list[_Traits] = []

    def u29(self) -> int:
        """1 to 4 bytes; the fourth gives all its eight bits (AMF 3, 1.3.1)."""
        number = 0
        for _ in range(3):
            byte = self.take(1)[0]
            number = number << 7 | byte & 0x7F
            if byte < 0x80:
                return number
        return number << 8 | self.take(1)[0]

    def string(self) -> str:
        start = self.at
        head = self.u29()
        if not head & 1:
            index = head >> 1
            if index >= len(self.strings):
                raise AmfError(f"string {index} of {len(self.strings)}", offset=start)
            text, size = self.strings[index]
            self.budget.repeat(size, start)
            return text
        raw = self.take(head >> 1)
        text = name_of(raw, start)  # any string may be used as a name by a later reference
        if raw:  # the empty string is never put in the table (AMF 3, 1.3.2)
            self.strings.append((text, len(raw)))
        return text

    def value(self) -> Value:
        start = self.at
        marker = self.take(1)[0]
        self.budget.spend(1, start)
        if marker == UNDEFINED_MARKER:
            return UNDEFINED
        if marker == NULL:
            return None
        if marker in (FALSE, TRUE):
            return marker == TRUE
        if marker == INTEGER:
            number = self.u29()
            return float(number - (1 << 29) if number & 1 << 28 else number)
        if marker == DOUBLE:
            double: float = _DOUBLE.unpack(self.take(8))[0]
            return double
        if marker == STRING:
            return self.string()
        if XML_DOC <= marker <= BYTE_ARRAY:
            return self.complex(marker, start)
        raise AmfError(f"AMF 3 marker {marker}", offset=start)

    def complex(self, marker: int, start: int) -> Value:
        head = self.u29()
        if not head & 1:
            index = head >> 1
            if index >= len(self.objects):
                raise AmfError(f"object {index} of {len(self.objects)}", offset=start)
            return self.objects[index].copy(self.budget, start)
        head >>= 1
        kept = Referable(None, self.budget, start)
        self.objects.append(kept)
        self.budget.enter(start)
        value: Value
        if marker == DATE:
            value = Date(_DOUBLE.unpack(self.take(8))[0])
        elif marker == BYTE_ARRAY:
            value = self.take(head)
        elif marker in (XML_DOC, XML):
            value = Xml(text_of(self.take(head), start))
        elif marker == ARRAY:
            value = self.array(head, start)
        else:
            value = self.object(head, start)
        self.budget.leave()
        kept.finish(value, self.budget, self.at)
        return value

    def named(self) -> dict[str, Value]:
        """Pairs up to the empty name."""
        pairs: dict[str, Value] = {}
        while name := self.string():
            pairs[name] = self.value()
        return pairs

    def array(self, count: int, start: int) -> Value:
        pairs = self.named()
        if count > len(self.data) - self.at:  # a value takes a byte at least
            raise AmfError(f"an array of {count} values in {len(self.data) - self.at} bytes", offset=start)
        items = [self.value() for _ in range(count)]
        if not pairs:
            return items
        return EcmaArray({str(index): item for index, item in enumerate(items)} | pairs)

    def object(self, head: int, start: int) -> Value:
        traits = self.shape(head, start)
        if traits.external:
            if traits.class_name not in WRAPPERS:
                raise AmfError(f"externalizable class {traits.class_name[:80]!r}", offset=start)
            return self.value()
        pairs: dict[str, Value] = {}
        for name in traits.names:
            pairs[name] = self.value()
        if traits.dynamic:
            pairs |= self.named()
        return TypedObject(traits.class_name, pairs) if traits.class_name else pairs

    def shape(self, head: int, start: int) -> _Traits:
        """Traits by reference, externalizable, or in full: U29O-traits-ref, -ext, U29O-traits (AMF 3, 3.12)."""
        if not head & 1:
            index = head >> 1
            if index >= len(self.traits):
                raise AmfError(f"traits {index} of {len(self.traits)}", offset=start)
            self.budget.repeat(self.traits[index].size, start)
            return self.traits[index]
        external, dynamic, count = bool(head & 2), bool(head & 4), head >> 3
        repeats = self.budget.repeats
        class_name = self.string()
        names: tuple[str, ...] = ()
        if not external:
            if count > min(len(self.data) - self.at, limits.AMF_VALUES_MAX):
                raise AmfError(f"a class of {count} names", offset=start)
            names = tuple(self.string() for _ in range(count))
        size = self.at - start + repeats - self.budget.repeats
        traits = _Traits(class_name, names, dynamic, external, size)
        self.traits.append(traits)
        return traits
