"""Starts that players were given: freed a while after, when all have taken them."""

from __future__ import annotations

import asyncio
from collections import deque
from weakref import ReferenceType, WeakSet, ref

from fastflv import limits
from fastflv.net.turns import Turns
from fastflv.stream.start import StartBlocks


class GivenStarts:
    """Has the start blocks of logs dropped, START_KEEP_SECONDS after players joined and as often until all are.

    A stream that ends takes its own with it, so nothing here keeps one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, turns: Turns) -> None:
        self._loop = loop
        self._turns = turns
        self._given: WeakSet[StartBlocks] = WeakSet()
        self._due: deque[ReferenceType[StartBlocks]] = deque()
        self._waits = False

    def add(self, starts: StartBlocks) -> None:
        """A player was given one of *starts*."""
        self._given.add(starts)
        if not self._waits:
            self._waits = True
            self._loop.call_later(limits.START_KEEP_SECONDS, self._begin)

    def _begin(self) -> None:
        self._due.extend(ref(starts) for starts in self._given)
        self._given.clear()
        self._forget()

    def _forget(self) -> None:
        """Drop what is due, as far as the time of the turn allows."""
        while self._due:
            if not self._turns.open():
                self._turns.queue(self._forget)
                return
            starts = self._due.popleft()()
            if starts is not None and starts.forget():
                self._given.add(starts)
        self._waits = bool(self._given)
        if self._waits:
            self._loop.call_later(limits.START_KEEP_SECONDS, self._begin)
