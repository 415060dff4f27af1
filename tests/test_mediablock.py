"""Blocks: bytes that many players are sent by reference."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import SANITIZED

from fastflv import limits
from fastflv._ext.log.block import MediaBlock

EDGE = limits.BLOCK_ARENA_BYTES


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@given(st.integers(0, 300) | st.integers(EDGE - 2, EDGE + 2) | st.just(3 * EDGE))
def test_a_block_holds_what_it_was_given(size):
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    block = MediaBlock(data)
    assert (len(block), bytes(block)) == (size, data)
    view = memoryview(block)
    assert (view.readonly, view.tobytes(), block.in_use) == (True, data, True)
    view.release()
    assert not block.in_use


@pytest.mark.skipif(SANITIZED, reason="sanitizers keep what is freed for a while")
def test_large_blocks_leave_no_holes_between_small_things_that_stay():
    content = bytes(100_000)
    before = resident()
    stay = []
    for _ in range(300):
        block = MediaBlock(content)
        # As a player that joins: too large for Python's own pools, so that it comes from the same heap.
        stay.append(bytearray(2000))
        del block
    assert resident() - before < 300 * 2000 + (4 << 20)
    held = [MediaBlock(content) for _ in range(300)]
    stay += [bytearray(2000) for _ in range(300)]
    # Two extents may have been there.
    assert resident() - before > 300 * 100_000 - (4 << 20)
    held.clear()
    assert resident() - before < 600 * 2000 + (4 << 20)
    assert len(stay) == 600
