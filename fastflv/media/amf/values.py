"""The values that AMF 0 and AMF 3 carry, as Python sees them, and the bounds that both readers keep.

Numbers are ``float``, booleans ``bool``, text ``str``, anonymous objects ``dict``, strict arrays ``list``,
null ``None``. What Python has no word for has a class here, so that decoding and encoding give the same bytes.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from enum import Enum
from sys import intern
from typing import TYPE_CHECKING, Final, TypeAlias

from fastflv import limits
from fastflv.errors import AmfError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Undefined(Enum):
    """The one value "undefined", which is not null."""

    UNDEFINED = "undefined"

    def __repr__(self) -> str:
        return self.name


UNDEFINED: Final = Undefined.UNDEFINED


@dataclass(frozen=True, slots=True)
class Date:
    """A moment."""

    ms: float
    "Milliseconds since 1970-01-01 UTC."

    zone: int = 0
    "Minutes off UTC, -32768 to 32767; writers should send 0 (AMF 0, 2.13)."


class EcmaArray(dict[str, "Value"]):
    """An array with names for indexes. `onMetaData` sends one where `connect` sends an object."""

    __slots__ = ()


class TypedObject(dict[str, "Value"]):
    """An object with the name of its class."""

    __slots__ = ("class_name",)

    def __init__(self, class_name: str, items: Mapping[str, Value] | None = None) -> None:
        super().__init__(items or {})
        self.class_name = class_name

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TypedObject)
            and self.class_name == other.class_name
            and dict.__eq__(self, other)
        )

    __hash__ = None


class Xml(str):
    """The text of an XML document, unread."""

    __slots__ = ()


Value: TypeAlias = bool | float | str | bytes | Undefined | Date | list["Value"] | dict[str, "Value"] | None


class Budget:
    """What one message may still cost: values, nesting, and bytes that references repeat.

    A reference of two bytes can stand for a megabyte, and a copy for a copy of copies; so each
    copy is paid for as if it had been sent.
    """

    __slots__ = ("depth", "repeats", "values")

    def __init__(self) -> None:
        self.values = limits.AMF_VALUES_MAX
        self.repeats = limits.COMMAND_BYTES_MAX
        self.depth = 0

    def spend(self, values: int, offset: int) -> None:
        """Pay for *values* more values; AmfError when too many."""
        self.values -= values
        if self.values < 0:
            raise AmfError(f"over {limits.AMF_VALUES_MAX} values", offset=offset)

    def repeat(self, size: int, offset: int) -> None:
        """Pay for *size* bytes that stand in the message once and count again; AmfError when too many."""
        self.repeats -= size
        if self.repeats < 0:
            raise AmfError(f"references repeat over {limits.COMMAND_BYTES_MAX} bytes", offset=offset)

    def enter(self, offset: int) -> None:
        """Go one level down; AmfError when too deep."""
        self.depth += 1
        if self.depth > limits.AMF_DEPTH_MAX:
            raise AmfError(f"nests over {limits.AMF_DEPTH_MAX} deep", offset=offset)

    def leave(self) -> None:
        """Go one level up."""
        self.depth -= 1


class Referable:
    """A complex value that a later reference may name, with the price of one copy of it."""

    __slots__ = ("depth", "offset", "repeats", "size", "value", "values", "whole")

    def __init__(self, value: Value, budget: Budget, offset: int) -> None:
        self.value = value
        self.offset = offset
        self.whole = False
        self.values = budget.values
        self.repeats = budget.repeats
        self.size = 0
        self.depth = 0

    def finish(self, value: Value, budget: Budget, offset: int) -> None:
        """Say that *value* is read to its end at *offset*."""
        self.value = value
        self.values -= budget.values
        self.size = offset - self.offset + self.repeats - budget.repeats
        self.depth = height(value)
        self.whole = True

    def copy(self, budget: Budget, offset: int) -> Value:
        """Pay for a copy and return it; AmfError for a value that would contain itself."""
        if not self.whole:
            raise AmfError("a value that contains itself", offset=offset)
        budget.spend(self.values, offset)
        budget.repeat(self.size, offset)
        if budget.depth + self.depth > limits.AMF_DEPTH_MAX:
            raise AmfError(f"nests over {limits.AMF_DEPTH_MAX} deep", offset=offset)
        return deepcopy(self.value)


def height(value: Value) -> int:
    """Levels of objects and arrays in *value*: 0 for a number, 1 for an empty object."""
    if isinstance(value, dict):
        return 1 + max(map(height, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(height, value), default=0)
    return 0


def text_of(raw: bytes, offset: int) -> str:
    """UTF-8 text, with U+FFFD for what is not UTF-8 (encoders send names in local code pages)."""
    return raw.decode("utf-8", "replace")


def name_of(raw: bytes, offset: int) -> str:
    """The name of a property or class; AmfError when it could not be written again in 65,535 bytes."""
    name = raw.decode("utf-8", "replace")
    if len(raw) * 3 > 0xFFFF and len(name.encode()) > 0xFFFF:  # U+FFFD takes three bytes for one
        raise AmfError("a property name over 65535 bytes", offset=offset)
    # Encoders say the same names; each publisher's metadata would have its own.
    return intern(name)


class AmfInput:
    """A place in the bytes of a message. Reads past their end raise AmfError."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def take(self, size: int) -> bytes:
        """Return the next *size* bytes."""
        at = self.at
        if len(self.data) - at < size:
            raise AmfError(f"{size} bytes wanted, {len(self.data) - at} left", offset=at)
        self.at = at + size
        return self.data[at : at + size]
