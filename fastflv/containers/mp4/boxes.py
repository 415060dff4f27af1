"""Boxes in bytes that are there whole (ISO 14496-12, 4.2)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from fastflv import limits
from fastflv.errors import MediaFileError


class Box(NamedTuple):
    """A box, whose content begins behind its head."""

    name: bytes
    data: memoryview
    "All of it, with its head."

    content: memoryview

    def children(self, skip: int = 0) -> list[Box]:
        """The boxes in it, behind *skip* bytes. Raises MediaFileError."""
        return read_boxes(self.content[skip:])

    def child(self, *path: bytes) -> Box:
        """The first box at *path*. Raises MediaFileError where there is none."""
        box = self
        for name in path:
            found = next((each for each in box.children() if each.name == name), None)
            if found is None:
                raise MediaFileError(f"a box {shown(box.name)} has no {shown(name)}")
            box = found
        return box

    def fields(self, layout: str, at: int = 0) -> tuple[int, ...]:
        """Unpack the content from offset *at* on. Raises MediaFileError where it is too short."""
        if len(self.content) < at + struct.calcsize(layout):
            raise MediaFileError(f"a box {shown(self.name)} has {len(self.content)} bytes")
        return struct.unpack_from(layout, self.content, at)


def read_boxes(data: memoryview) -> list[Box]:
    """Return the boxes in *data*. Raises MediaFileError where one does not lie within it, or there are too many."""
    found: list[Box] = []
    at = 0
    while at < len(data):
        size, name, head = box_head(data[at : at + 16])
        end = at + size
        # Only in a file a box may have size 0, and go on to its end.
        if not size or end > len(data) or len(found) >= limits.MP4_BOXES_MAX:
            raise MediaFileError(f"a box {shown(name)} of {size} bytes leads out of the one around it")
        found.append(Box(name, data[at:end], data[at + head : end]))
        at = end
    return found


def box_head(data: bytes | memoryview) -> tuple[int, bytes, int]:
    """Return size, name and length of a head; size 0: to the end. Raises MediaFileError."""
    if len(data) < 8:
        raise MediaFileError("a box has no head")
    size, name = struct.unpack_from(">I4s", data)
    head = 8
    if size == 1:
        if len(data) < 16:
            raise MediaFileError("a box has no head")
        (size,) = struct.unpack_from(">Q", data, 8)
        head = 16
    if size and size < head:
        raise MediaFileError(f"a box {shown(name)} of {size} bytes")
    return size, name, head


def shown(name: bytes) -> str:
    """Return a name of four characters for messages."""
    return name.decode("latin-1") if name.isalnum() else name.hex()
