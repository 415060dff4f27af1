"""The buffer that a kind of connections reads into."""

from __future__ import annotations

import mmap

from fastflv import limits


def receive_buffer() -> memoryview:
    """Return RECEIVE_BYTES to read into, which all connections of one kind and loop share: a read is used up before the next one begins.

    Memory of the system has only the pages that reads have reached, which are few where streams are small; a
    `bytearray` is cleared, and so takes all of them at once.
    """
    return memoryview(mmap.mmap(-1, limits.RECEIVE_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
