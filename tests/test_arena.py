"""The memory of pages and of large blocks: none is given out twice, and what is free goes back to the system."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.flv import VIDEO, inter, key
from patience import SANITIZED, patient

from fastflv import limits
from fastflv._ext.log.arena import arena_bytes
from fastflv._ext.log.block import MediaBlock
from fastflv._ext.log.medialog import MediaLog

EXTENT = 1 << 20
"Bytes that are taken from the system at once."

LARGEST = 31 * 16384
"Bytes of the largest allocation that is no mapping of its own."

HEAD = 64
"Bytes of an allocation that are no content, at most."

TAKES = st.lists(
    st.tuples(
        st.integers(limits.BLOCK_ARENA_BYTES, 200_000)
        | st.sampled_from([LARGEST - HEAD, LARGEST + HEAD, 3 * LARGEST]),
        st.integers(0, 100),
    ),
    max_size=60,
)

pytestmark = pytest.mark.skipif(
    SANITIZED, reason="an allocation is malloc's there, which keeps what is freed for a while"
)


@given(TAKES)
def test_no_memory_is_given_out_twice(takes: list[tuple[int, int]]):
    used, _ = arena_bytes()
    held: list[tuple[MediaBlock, bytes]] = []
    for number, (size, place) in enumerate(takes):
        content = bytes([number % 251 + 1]) * size
        held.append((MediaBlock(content), content))
        if place % 3 == 0:
            block, content = held.pop(place % len(held))
            assert bytes(block) == content
            del block
    assert all(bytes(block) == content for block, content in held)
    within = sum(len(content) for _, content in held)
    now = arena_bytes()[0] - used
    assert within <= now <= within + len(held) * (HEAD + 16384)
    held.clear()
    assert arena_bytes()[0] == used


def test_what_is_free_goes_back_whatever_the_order():
    used, extents = arena_bytes()
    blocks = [MediaBlock(bytes(40_000 + 10_000 * (number % 5))) for number in range(400)]
    assert arena_bytes()[1] - extents > 400 * 40_000 - EXTENT
    # One in ten stays for the moment, as streams with a longer GOP do.
    stay = blocks[::10]
    blocks.clear()
    assert arena_bytes()[0] - used <= 40 * 98_304
    stay.clear()
    assert arena_bytes()[0] == used
    assert arena_bytes()[1] <= extents + EXTENT


def test_what_is_given_back_amid_others_is_given_out_before_more_is_mapped():
    blocks = [MediaBlock(bytes(48_000)) for _ in range(400)]
    extents = arena_bytes()[1]
    for number in range(100, 300, 2):
        blocks[number] = MediaBlock(b"")
    for number in range(100, 300, 2):
        blocks[number] = MediaBlock(bytes(48_000))
    assert arena_bytes()[1] == extents
    # Two that lie side by side have room for one of their size together.
    for number in range(100, 300, 4):
        blocks[number] = blocks[number + 1] = MediaBlock(b"")
    more = [MediaBlock(bytes(97_000)) for _ in range(45)]
    assert arena_bytes()[1] == extents
    assert len(more) == 45


def test_large_ones_are_mappings_of_their_own_that_go_with_them():
    # Made before anything is counted: the heap may grow for it, and keep that.
    content = bytes(3_000_000)
    used, mapped = arena_bytes()
    before = virtual()
    large = [MediaBlock(content) for _ in range(20)]
    assert arena_bytes()[0] - used == arena_bytes()[1] - mapped >= 20 * 3_000_000
    assert virtual() - before >= 20 * 3_000_000
    large.clear()
    assert arena_bytes() == (used, mapped)
    assert virtual() - before < 3_000_000


def test_an_extent_maps_no_more_than_it_has():
    content = bytes(900_000)
    mapped, before = arena_bytes()[1], virtual()
    blocks = [MediaBlock(content) for _ in range(40)]
    assert virtual() - before <= arena_bytes()[1] - mapped + (4 << 20)
    assert len(blocks) == 40


def test_a_collection_of_cycles_while_memory_is_counted_does_not_wait_for_itself():
    code = (
        "import gc\n"
        "from fastflv._ext.log.arena import arena_bytes\n"
        "from fastflv._ext.log.block import MediaBlock\n"
        "class Cycle: pass\n"
        "for _ in range(300):\n"
        "    cycle = Cycle()\n"
        "    cycle.own, cycle.block = cycle, MediaBlock(bytes(100_000))\n"
        "    del cycle\n"
        "    gc.set_threshold(1)\n"
        "    arena_bytes()\n"
        "    gc.set_threshold(0)\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=patient(20))


def test_a_child_of_a_fork_takes_memory_while_another_thread_of_its_parent_did():
    code = (
        "import os, threading\n"
        "from fastflv._ext.log.block import MediaBlock\n"
        "over = threading.Event()\n"
        "def churn():\n"
        "    while not over.is_set(): MediaBlock(bytes(2_000_000))\n"
        "threads = [threading.Thread(target=churn) for _ in range(2)]\n"
        "for thread in threads: thread.start()\n"
        "for _ in range(100):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        MediaBlock(bytes(100_000))\n"
        "        os._exit(0)\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
        "over.set()\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=patient(20))


def test_memory_is_filled_from_its_start_so_the_end_becomes_empty():
    extents = arena_bytes()[1]
    first = [MediaBlock(bytes(50_000)) for _ in range(300)]
    full = arena_bytes()[1]
    # Each one is replaced by one that comes later, as pages are; half as many stay.
    for number in range(0, 300, 2):
        first[number] = first[number + 1] = MediaBlock(bytes(50_000))
    assert arena_bytes()[1] - extents < (full - extents) * 0.65 + EXTENT


def test_streams_whose_gops_begin_at_the_same_moment_give_back_what_they_had():
    logs = [MediaLog(keep_gop=True) for _ in range(150)]
    stay = []

    def gop(start_ms: int) -> None:
        for time in range(start_ms, start_ms + 2000, 40):
            for log in logs:
                log.append(VIDEO, time, (inter() if time % 2000 else key()) + bytes(2500))
            # As a client that comes and stays: it holds the heap's end where it is.
            stay.append(bytearray(3000))

    gop(0)
    full = resident()
    for log in logs:
        log.append(VIDEO, 2000, key() + bytes(2500))
    assert full - resident() > 150 * 100_000 * 0.8
    gop(4000)
    assert resident() < full + (4 << 20)
    assert len(stay) == 100


def virtual() -> int:
    """Return what this process has mapped, bytes."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """Return the resident memory of this process, bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
