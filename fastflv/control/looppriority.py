"""The priority of the event loop, where it shares a core with sender threads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from fastflv import limits

T = TypeVar("T")


class LoopPriority:
    """Puts the event loop behind the sender threads: who plays comes before who joins.

    Nobody gets a priority back without privileges, and threads and processes inherit that of the thread that starts
    them. So one thread keeps that of the process, and starts other processes. Sender threads that go on after an upgrade
    that failed are started by the event loop, and are its equals from then on.
    """

    def __init__(self) -> None:
        self._starter = ThreadPoolExecutor(1, "starter")
        # It begins now, before the priority is another.
        self._starter.submit(os.getpid).result()

    def lower(self) -> None:
        """Lower that of the thread that calls, which runs the event loop. The sender threads are there."""
        # Linux: 0 is the thread that calls. Where it is the lowest already, it stays.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + limits.LOOP_NICE)

    def close(self) -> None:
        """Start nothing any more. Here, since a signal at the interpreter's own end would spoil the wait for the thread."""
        self._starter.shutdown()

    async def start(self, make: Callable[[], T]) -> T:
        """Return what *make* does, which starts a process, with the priority that this process had."""
        return await asyncio.get_running_loop().run_in_executor(self._starter, make)
