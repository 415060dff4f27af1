"""Mailboxes: calls that one thread asks for in the event loop of another."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from threading import RLock
from time import perf_counter
from typing import TypeAlias

from fastflv import limits

log = logging.getLogger(__name__)

Call: TypeAlias = tuple[Callable[..., object], tuple[object, ...]]


class Mailbox:
    """Makes calls in one loop, in the order that any threads have posted them.

    All that waits costs the loop one wake-up. Calls have TURN_SECONDS of a turn; the rest waits for the next turn.
    """

    __slots__ = ("_behind", "_calls", "_closed", "_due", "_lock", "_loop")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, behind: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """*behind*: the loop that posts, all in its thread: *loop* wakes once per turn of it, when its calls have returned."""
        self._loop = loop
        self._behind = behind
        self._calls: deque[Call] = deque()
        # Reentrant: the garbage collector may run within it, and what it frees may post.
        self._lock = RLock()
        self._due = False
        "The loop is about to run what waits."
        self._closed = False

    def post(self, call: Callable[..., object], *args: object) -> bool:
        """Have the loop call *call*; return whether it will: the loop of a mailbox that is closed does nothing."""
        with self._lock:
            if self._closed:
                return False
            self._calls.append((call, args))
            if not self._due:
                self._due = True
                self._ask()
            return not self._closed

    def close(self) -> None:
        """The loop has ended: make the calls that wait, in this thread. Nothing else is taken."""
        with self._lock:
            self._closed = True
        while self._calls:
            self._make(*self._calls.popleft())

    def _ask(self) -> None:
        """Wake the loop, now or at the end of the turn that posts."""
        try:
            if self._behind is not None and not self._behind.is_closed():
                self._behind.call_soon(self.wake)
            else:
                self._loop.call_soon_threadsafe(self._run)
        except RuntimeError:
            self._abandon()

    def wake(self) -> None:
        """Wake the loop. For the end of the thread that posts; until then its turns do so."""
        try:
            self._loop.call_soon_threadsafe(self._run)
        except RuntimeError:
            with self._lock:
                self._abandon()

    def _abandon(self) -> None:
        """The loop was closed by its owner: nobody makes the calls."""
        self._closed = True
        self._calls.clear()

    def _run(self) -> None:
        # Before the calls are counted: a post that comes later asks for a turn of its own.
        self._due = False
        ends = perf_counter() + limits.TURN_SECONDS
        for _ in range(len(self._calls)):
            self._make(*self._calls.popleft())
            if perf_counter() >= ends:
                break
        with self._lock:
            if self._calls and not self._due:
                self._due = True
                self._loop.call_soon(self._run)

    def _make(self, call: Callable[..., object], args: tuple[object, ...]) -> None:
        try:
            call(*args)
        except Exception:
            log.exception("a call between the program and its server failed")
