"""Boxes of the ISO base media file format.

Spec: ISO 14496-12, 4.2.
"""

from __future__ import annotations

import struct

UNITY = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
"The matrix that leaves a picture as it is."


def box(name: bytes, *parts: bytes | memoryview) -> bytes:
    """Return a box of *parts*; *name* is its four-character code."""
    return struct.pack(">I4s", 8 + sum(map(len, parts)), name) + b"".join(parts)


def full_box(name: bytes, version: int, flags: int, *parts: bytes | memoryview) -> bytes:
    """Return a box with version and flags."""
    return box(name, struct.pack(">I", version << 24 | flags), *parts)


def descriptor(tag: int, *parts: bytes) -> bytes:
    """Return a descriptor of MPEG-4 systems (ISO 14496-1, 8.3.3), its size in the four bytes that all readers take."""
    body = b"".join(parts)
    size = len(body)
    sizes = bytes([size >> 21 & 127 | 128, size >> 14 & 127 | 128, size >> 7 & 127 | 128, size & 127])
    return bytes([tag]) + sizes + body
