"""Choices that an input makes, for targets that build structured data of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Choices:
    """Reads an input from its beginning; behind its end everything is 0."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes that are not read."""
        return max(0, len(self._data) - self._at)

    def number(self, size: int = 1) -> int:
        """The next *size* bytes as a number."""
        return int.from_bytes(self.take(size).ljust(size, b"\0"), "big")

    def one(self, items: Sequence[Item]) -> Item:
        """One of *items*."""
        return items[self.number() % len(items)]

    def take(self, size: int) -> bytes:
        """The next *size* bytes, fewer at the end."""
        self._at += size
        return self._data[self._at - size : self._at]
