"""The threads for work that waits for a disk, shared by all who read and write files.

Each kind of work has a share: so many threads at once, and so many calls that may wait for one. The pool has as many
threads as all shares together, so that a disk that hangs holds up the share that uses it and no other.

Calls that clients cause one by one are refused beyond the bound of their share: the client is told to come again, and
memory stays bounded. Work whose owner bounds it by itself always waits: a file that is being sent has one call at most,
an HLS muxer and a recorder stop reading their stream.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from fastflv import limits
from fastflv.errors import FilesBusyError

Result = TypeVar("Result")
Job = tuple[asyncio.Future[Any], Callable[[], Any]]


def write_whole(fd: int, data: bytes) -> None:
    """Write all of *data* to a file, where the system takes a part at a time too. Blocks; raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


class FileShare:
    """One kind of work on files. `FilePool` makes it; call it in the loop alone, but for `crowded`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pool: ThreadPoolExecutor,
        threads: int,
        waiting: int | None = None,
    ) -> None:
        """*threads*: calls that run at once. *waiting*: calls that may wait beside them; None: the callers bound them."""
        self.loop = loop
        self._pool = pool
        self._threads = threads
        self._waiting = waiting
        self._running = 0
        self._queue: deque[Job] = deque()

    @property
    def crowded(self) -> bool:
        """Whether calls wait for a thread; for those that could go on, on any thread."""
        return bool(self._queue)

    @property
    def running(self) -> bool:
        """A thread has a call."""
        return self._running > 0

    def run(self, function: Callable[..., Result], *args: Any) -> asyncio.Future[Result]:
        """Call *function* on a thread, after the calls of this share before it.

        A call whose future is cancelled before a thread has it is left out. Where the machine has no thread to give, or
        the pool was closed, the future comes back cancelled. Raises FilesBusyError when too many wait.
        """
        future: asyncio.Future[Result] = self.loop.create_future()
        job = future, partial(function, *args)
        if self._running < self._threads:
            self._start(job)
        elif self._waiting is not None and len(self._queue) >= self._waiting:
            raise FilesBusyError(f"{self._waiting} calls wait for the disk already")
        else:
            self._queue.append(job)
        return future

    def _start(self, job: Job) -> None:
        future, call = job
        self._running += 1
        try:
            done = self.loop.run_in_executor(self._pool, _unless_cancelled, future, call)
        except RuntimeError:
            # Where no thread could be started, the pool still holds the call, and would run it when one is free.
            self._running -= 1
            future.cancel()
            return
        done.add_done_callback(partial(self._done, future))

    def _done(self, future: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
        self._running -= 1
        while self._queue and self._running < self._threads:
            job = self._queue.popleft()
            if not job[0].cancelled():
                self._start(job)
        if done.cancelled():
            future.cancel()
            return
        error = done.exception()
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(done.result())


def _unless_cancelled(future: asyncio.Future[Result], call: Callable[[], Result]) -> Result | None:
    """Run on a thread: nobody would close what a cancelled call opens."""
    return None if future.cancelled() else call()


class FilePool:
    """The shares of a server. `close` it last."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        asked = (
            limits.FILE_OPEN_THREADS,
            limits.FILE_SEND_THREADS,
            limits.FILE_INDEX_THREADS,
            limits.FILE_CLIP_THREADS,
        )
        written = (limits.FILE_HLS_THREADS, limits.FILE_RECORD_THREADS, limits.FILE_SPOOL_THREADS)
        answers = ThreadPoolExecutor(sum(asked), "answers", _give_way)
        writes = ThreadPoolExecutor(sum(written), "writes")
        self._pools = (answers, writes)
        opening, sending, indexing, clips = asked
        hls, recording, spooling = written
        self.opening = FileShare(loop, answers, opening, limits.FILE_OPEN_WAITING)
        "Looks for files that clients ask for."
        self.sending = FileShare(loop, answers, sending)
        "Sends files; each has one call at most."
        self.indexing = FileShare(loop, answers, indexing, limits.FILE_INDEX_WAITING)
        "Reads media files for their keyframes."
        self.clips = FileShare(loop, answers, clips, limits.FILE_CLIP_WAITING)
        "Makes clips."
        self.hls = FileShare(loop, writes, hls)
        "Writes and removes segments."
        self.recording = FileShare(loop, writes, recording)
        "Writes recordings."
        self.spooling = FileShare(loop, writes, spooling)
        "Moves the past of streams to files; each has one call at most."

    @property
    def answering(self) -> bool:
        """A client waits for what a file says."""
        return self.opening.running or self.indexing.running or self.clips.running

    def close(self) -> None:
        """Start no more calls; those that wait are cancelled. Threads end with the calls that they are in."""
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=True)


def _give_way() -> None:
    """Lower the priority of this thread (setpriority(2): on Linux 0 is the thread that calls)."""
    os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + limits.FILE_NICE)
