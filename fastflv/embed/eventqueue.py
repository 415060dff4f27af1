"""A bounded queue of events for one task."""

from __future__ import annotations

import asyncio
from collections import deque
from threading import Lock
from typing import Generic, Self, TypeVar

from fastflv import limits
from fastflv.embed.mailbox import Mailbox

T = TypeVar("T")


class EventQueue(Generic[T]):
    """Events in order: `async for event in queue`. One task reads; it ends when the queue is closed and empty.

    EVENTS_WAITING events wait; then the oldest are dropped, and `lost` counts them.
    """

    def __init__(self, program: Mailbox) -> None:
        """*program*: of the loop of the task."""
        self._program = program
        self._waiting: deque[T] = deque()
        self._lock = Lock()
        "Events come from the thread of the server."
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
        with self._lock:
            if len(self._waiting) >= limits.EVENTS_WAITING:
                self._waiting.popleft()
                self.lost += 1
            self._waiting.append(event)
            wake, self._asleep = self._asleep, False
        if wake:
            self._program.post(self._wake)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while True:
            with self._lock:
                if self._waiting:
                    return self._waiting.popleft()
                if self._closed:
                    raise StopAsyncIteration
                self._reader = asyncio.get_running_loop().create_future()
                self._asleep = True
            try:
                await self._reader
            finally:
                self._reader = None

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
