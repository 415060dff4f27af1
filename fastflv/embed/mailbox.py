"""Mailboxes: calls that one thread asks for in the event loop of another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import TypeAlias

from fastflv import limits

log = logging.getLogger(__name__)

Call: TypeAlias = tuple[Callable[..., object], tuple[object, ...]]


class Mailbox:
    """Makes calls in one loop, in the order that any threads have posted them.

    All that waits costs the loop one wake-up. Calls have TURN_SECONDS of a turn; the rest waits for the next turn.

    It has no lock: the garbage collector runs finalizers of the program at any place of `post`, and one that
    waits for the other thread would hold a lock which that thread needs.
    """

    __slots__ = ("_behind", "_calls", "_closed", "_due", "_loop", "_makes", "_resting", "_tended", "error")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        behind: asyncio.AbstractEventLoop | None = None,
        tended: bool = False,
    ) -> None:
        """*behind*: the loop that posts, all in its thread: *loop* wakes once per turn of it, when its calls have returned.

        *tended*: `close` follows the end of the loop, and makes what was posted in between.
        """
        self._loop = loop
        self._behind = behind
        self._tended = tended
        self._calls: SimpleQueue[Call] = SimpleQueue()
        self._due = False
        "The loop is about to run what waits. Two threads may both find that it is not: it is woken twice."
        self._closed = False
        self._makes = True
        "What is found after the end is made; off: dropped."
        self._resting: set[asyncio.Future[None]] = set()
        "What tasks of the loop wait for."
        self.error: Exception | None = None
        "Why nothing is posted any more, where that is a failure."

    def post(self, call: Callable[..., object], *args: object) -> bool:
        """Have the loop call *call*; return whether it will: the loop of a mailbox that is closed does nothing."""
        if self._closed:
            return False
        self._calls.put((call, args))
        if self._closed:
            # It was closed in between: the call is made by whoever finds it.
            self._empty()
        elif not self._due:
            self._due = True
            self._ask()
        return self._makes

    def close(self, *, make: bool = True) -> None:
        """The loop has ended: make the calls that wait, in this thread, or drop them. Nothing else is taken."""
        self._makes = make
        self._closed = True
        self._empty()

    def fail(self, error: Exception) -> None:
        """The other thread has failed: raise *error* in all that `rest`, now and from now on."""
        self.error = error
        self.post(self._wake_resting)

    async def rest(self, waiter: asyncio.Future[None]) -> None:
        """Wait for *waiter*, a future of the loop that the other thread is to settle. Raises what `fail` was given."""
        if self.error is not None:
            raise self.error
        self._resting.add(waiter)
        try:
            await waiter
        finally:
            self._resting.discard(waiter)

    def _wake_resting(self) -> None:
        assert self.error is not None
        for waiter in self._resting:
            if not waiter.done():
                waiter.set_exception(self.error)

    def _ask(self) -> None:
        """Wake the loop, now or at the end of the turn that posts."""
        if self._behind is not None and not self._behind.is_closed():
            self._behind.call_soon(self.wake)
        else:
            self.wake()

    def wake(self) -> None:
        """Wake the loop, also where it is about to wake. For one who waits, and for the end of the thread that posts."""
        try:
            self._loop.call_soon_threadsafe(self._run)
        except RuntimeError:
            # The loop was closed.
            if not self._tended:
                self.close(make=False)

    def _run(self) -> None:
        # Before the calls are counted: a post that comes later asks for a turn of its own.
        self._due = False
        ends = perf_counter() + limits.TURN_SECONDS
        for _ in range(self._calls.qsize()):
            self._make()
            if perf_counter() >= ends:
                break
        if not self._calls.empty() and not self._due:
            self._due = True
            self._loop.call_soon(self._run)

    def _empty(self) -> None:
        while self._make():
            pass

    def _make(self) -> bool:
        """Make the next call; return whether there was one."""
        try:
            call, args = self._calls.get_nowait()
        except Empty:
            return False
        if not self._makes:
            return True
        try:
            call(*args)
        except Exception:
            log.exception("a call between the program and its server failed")
        return True
