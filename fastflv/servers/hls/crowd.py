"""Requests that wait for one event: they are answered some at a time, so that a crowd holds up nobody else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from fastflv import limits

log = logging.getLogger(__name__)


class Crowd:
    """Callbacks of requests that wait; each is called once. *what*: the event, for the log."""

    def __init__(self, loop: asyncio.AbstractEventLoop, what: str) -> None:
        self._loop = loop
        self._what = what
        self._waiting: set[Callable[[], None]] = set()
        self._called: set[Callable[[], None]] = set()
        "Those whose turn comes with the next steps."

    def __len__(self) -> int:
        return len(self._waiting) + len(self._called)

    def add(self, callback: Callable[[], None]) -> None:
        self._waiting.add(callback)

    def discard(self, callback: Callable[[], None]) -> None:
        """The request waits no more."""
        self._waiting.discard(callback)
        self._called.discard(callback)

    def call(self, *, at_once: bool = False) -> None:
        """Call all that wait: HLS_WAKE_COUNT now, the others after pauses. *at_once*: without a pause.

        What they add waits for the next event.
        """
        idle = not self._called
        self._called |= self._waiting
        self._waiting.clear()
        if at_once:
            self._step(len(self._called))
        elif idle:
            self._go_on()

    def _go_on(self) -> None:
        self._step(limits.HLS_WAKE_COUNT)
        if self._called:
            self._loop.call_later(limits.HLS_WAKE_SECONDS, self._go_on)

    def _step(self, most: int) -> None:
        for _ in range(min(most, len(self._called))):
            try:
                self._called.pop()()
            except Exception:
                # One failed request stops neither the others nor the segments.
                log.exception("%s: a request that waited failed", self._what)
