"""A bounded queue of events for one task."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, Self, TypeVar

from fastflv import limits
from fastflv.embed.mailbox import Mailbox

T = TypeVar("T")


class EventQueue(Generic[T]):
    """Events in order: `async for event in queue`. One task reads; it ends when the queue is closed and empty.

    EVENTS_WAITING events wait; then the oldest are dropped, and `lost` counts them. Where the server has failed, what
    waits can be read, then ServerFailedError is raised.
    """

    # Events come from the thread of the server. There is no lock, as `Mailbox` says.

    def __init__(self, program: Mailbox) -> None:
        """*program*: of the loop of the task."""
        self._program = program
        self._waiting: deque[T] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._asleep = False
        "The reader waits, and nobody has woken it: a program that holds its loop has one call waiting, whatever happens."
        self._closed = False
        self.lost = 0

    def close(self) -> None:
        """Take no more; what waits can still be read."""
        self._closed = True
        self._program.post(self._wake)

    def put(self, event: T) -> None:
        """Add an event; the server calls it."""
        if self._closed:
            return
        self._waiting.append(event)
        if len(self._waiting) > limits.EVENTS_WAITING and self._take() is not None:
            self.lost += 1
        if self._asleep:
            self._asleep = False
            self._program.post(self._wake)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while True:
            # Asked before: an event may come and the queue be closed behind the next line.
            closed = self._closed
            event = self._take()
            if event is not None:
                return event
            if closed and self._program.error is None:
                raise StopAsyncIteration
            self._reader = asyncio.get_running_loop().create_future()
            self._asleep = True
            try:
                # One that came before `_asleep` was set wakes nobody.
                if not self._waiting:
                    await self._program.rest(self._reader)
            finally:
                self._reader = None

    def _take(self) -> T | None:
        """Return the oldest event; None where another thread has taken the last one, or there is none."""
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
