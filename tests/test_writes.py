"""Writes of recordings: one call for what one turn brings, and an error for whom it concerns."""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing

from model.http import looped
from model.loop import until

from fastflv import limits
from fastflv.errors import FilesBusyError
from fastflv.net.filepool import FilePool
from fastflv.record.writes import Writes


@looped
async def test_what_one_turn_brings_for_a_vhost_is_done_by_one_thread_in_its_order():
    with closing(FilePool(asyncio.get_running_loop())) as files:
        writes = Writes(files.recording)
        done: list[tuple[str, int, int]] = []
        told: list[BaseException | None] = []
        for vhost in ("a", "b"):
            for number in range(20):
                steps = [
                    lambda vhost=vhost, number=number: done.append((vhost, number, threading.get_ident()))
                ]
                writes.add(vhost, steps, told.append)
        await until(lambda: len(told) == 40)
        for vhost in ("a", "b"):
            assert [number for name, number, _ in done if name == vhost] == list(range(20))
            assert len({thread for name, _, thread in done if name == vhost}) == 1
        assert told == [None] * 40


@looped
async def test_a_step_that_raises_ends_its_own_recording_and_no_other():
    with closing(FilePool(asyncio.get_running_loop())) as files:
        writes = Writes(files.recording)
        full = OSError(28, "No space left on device")
        done: list[int] = []
        told: dict[int, BaseException | None] = {}

        def fail() -> None:
            raise full

        for number in range(3):
            steps = [lambda number=number: done.append(number)] * 2
            if number == 1:
                steps.insert(1, fail)
            writes.add("a", steps, lambda error, number=number: told.setdefault(number, error))
        await until(lambda: len(told) == 3)
        assert told == {0: None, 1: full, 2: None}
        assert done == [0, 0, 1, 2, 2]


@looped
async def test_a_vhost_whose_disk_hangs_leaves_the_others_a_thread():
    disk = threading.Event()
    with closing(FilePool(asyncio.get_running_loop())) as files:
        writes = Writes(files.recording)
        told: list[str] = []
        for number in range(limits.FILE_RECORD_THREADS - 1):
            writes.add(f"hangs{number}", [disk.wait], lambda error: told.append("hangs"))
        writes.add("works", [lambda: None], lambda error: told.append("works"))
        await until(lambda: told == ["works"])
        disk.set()
        await until(lambda: len(told) == limits.FILE_RECORD_THREADS)


@looped
async def test_without_a_thread_all_who_wait_are_told():
    files = FilePool(asyncio.get_running_loop())
    files.close()
    writes = Writes(files.recording)
    told: list[BaseException | None] = []
    for _ in range(3):
        writes.add("a", [lambda: None], told.append)
    await until(lambda: len(told) == 3)
    assert all(isinstance(error, FilesBusyError) for error in told)
