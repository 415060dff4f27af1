"""The threads for files: shares do not wait for each other, queues are bounded, and what is cancelled does not run."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import closing

import pytest
from model.http import looped
from model.loop import until

from fastflv import limits
from fastflv.errors import FilesBusyError
from fastflv.net.filepool import FilePool


@pytest.fixture
def disk():
    """A disk that hangs until it is let go."""
    event = threading.Event()
    yield event
    event.set()


def pool() -> FilePool:
    return FilePool(asyncio.get_running_loop())


@looped
async def test_a_disk_that_hangs_in_one_share_leaves_the_others_their_threads(disk):
    with closing(pool()) as files:
        shares = (files.opening, files.sending, files.indexing, files.hls, files.recording)
        for share in shares[1:]:
            held = [share.run(disk.wait) for _ in range(limits.FILE_SEND_THREADS + 5)]
            for other in shares:
                if other is not share:
                    assert await other.run(os.getpid) == os.getpid()
            assert not any(each.done() for each in held)
            disk.set()
            await asyncio.gather(*held)
            disk.clear()


@looped
async def test_calls_of_a_share_run_in_their_order_and_no_more_at_once_than_it_has_threads(disk):
    with closing(pool()) as files:
        begun = []

        def call(number: int) -> int:
            begun.append(number)
            disk.wait()
            return number

        calls = [files.hls.run(call, number) for number in range(20)]
        await until(lambda: len(begun) == limits.FILE_HLS_THREADS)
        await files.opening.run(os.getpid)
        assert len(begun) == limits.FILE_HLS_THREADS
        disk.set()
        assert await asyncio.gather(*calls) == list(range(20))
        assert sorted(begun) == list(range(20))


@looped
async def test_what_clients_ask_for_is_refused_beyond_the_queue_and_taken_again_later(disk, monkeypatch):
    monkeypatch.setattr(limits, "FILE_OPEN_WAITING", 3)
    with closing(pool()) as files:
        calls = [files.opening.run(disk.wait) for _ in range(limits.FILE_OPEN_THREADS + 3)]
        with pytest.raises(FilesBusyError):
            files.opening.run(disk.wait)
        disk.set()
        await asyncio.gather(*calls)
        assert await files.opening.run(os.getpid) == os.getpid()


@looped
async def test_a_call_that_is_cancelled_while_it_waits_does_not_run(disk):
    with closing(pool()) as files:
        held = [files.hls.run(disk.wait) for _ in range(limits.FILE_HLS_THREADS)]
        ran = []
        late = files.hls.run(ran.append, 1)
        late.cancel()
        last = files.hls.run(ran.append, 2)
        disk.set()
        await asyncio.gather(*held, last)
        assert ran == [2]


@looped
async def test_the_error_of_a_call_is_told_and_its_thread_goes_on():
    with closing(pool()) as files:
        for _ in range(10):
            with pytest.raises(FileNotFoundError):
                await files.hls.run(os.stat, "/nowhere/at all")
        assert await files.hls.run(os.getpid) == os.getpid()


@looped
async def test_a_closed_pool_cancels_what_waits_and_what_comes(disk):
    files = pool()
    held = [files.hls.run(disk.wait) for _ in range(limits.FILE_HLS_THREADS)]
    late = files.hls.run(os.getpid)
    files.close()
    disk.set()
    await asyncio.gather(*held)
    for call in (late, files.opening.run(os.getpid)):
        with pytest.raises(asyncio.CancelledError):
            await call


@looped
async def test_a_call_that_no_thread_could_be_started_for_never_runs(disk, monkeypatch):
    with closing(pool()) as files:
        held = files.hls.run(disk.wait)
        opened = []
        start = threading.Thread.start

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        lost = files.opening.run(opened.append, 1)
        monkeypatch.setattr(threading.Thread, "start", start)
        with pytest.raises(asyncio.CancelledError):
            await lost
        disk.set()
        await held
        # The only thread of the pool takes its calls in their order.
        assert await files.opening.run(os.getpid) == os.getpid()
        assert opened == []


@looped
async def test_what_clients_ask_of_files_gives_way_to_live_media_and_what_is_written_does_not():
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, 0)

    with closing(pool()) as files:
        for share in (files.opening, files.sending, files.indexing, files.clips):
            assert await share.run(priority) == min(priority() + limits.FILE_NICE, 19)
        for share in (files.hls, files.recording, files.spooling):
            assert await share.run(priority) == priority()
