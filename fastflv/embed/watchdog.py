"""The watchdog of the program's event loop: what holds it is named in the log while it does."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from time import monotonic
from types import FrameType

from fastflv import limits

log = logging.getLogger(__name__)

OWN = ("asyncio", "uvloop")
"Modules of the loop itself, which run everything else."


class Watchdog:
    """Measures the turns of the running loop from a thread of its own, until `close`.

    One line for each turn beyond HELD_LOOP_SECONDS, while it lasts: the task, as `on_play auth.check`, and where it runs.
    Callbacks, readers and publishers of the program wait for that turn; nothing else of the server does.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, abandoned: Callable[[], None]) -> None:
        """*abandoned* is called on a thread when the loop was closed before the watchdog."""
        self._loop = loop
        self._abandoned = abandoned
        self._thread_id = threading.get_ident()
        self._beat = monotonic()
        "When the loop was last seen turning."
        self._closed = threading.Event()
        self._timer = loop.call_later(limits.HELD_LOOP_LOOK_SECONDS, self._turn)
        self._thread = threading.Thread(target=self._watch, name="fastflv-watchdog", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._timer.cancel()
        self._closed.set()
        self._thread.join()

    def _turn(self) -> None:
        self._beat = monotonic()
        self._timer = self._loop.call_later(limits.HELD_LOOP_LOOK_SECONDS, self._turn)

    def _watch(self) -> None:
        told = 0.0
        looked = monotonic()
        while not self._closed.wait(limits.HELD_LOOP_LOOK_SECONDS):
            if self._loop.is_closed():
                self._abandoned()
                return
            now, beat = monotonic(), self._beat
            # Where the thread itself was held up, so was the process, or the machine.
            awake = now - looked < 2 * limits.HELD_LOOP_LOOK_SECONDS
            looked = now
            # The timer of the loop is due HELD_LOOP_LOOK_SECONDS behind the beat.
            held = now - beat - limits.HELD_LOOP_LOOK_SECONDS
            if awake and held > limits.HELD_LOOP_SECONDS and beat != told:
                told = beat
                place = describe(sys._current_frames().get(self._thread_id))
                task = asyncio.current_task(self._loop)
                who = f"{task.get_name()}, {place}" if task is not None else place
                log.warning(
                    "the event loop is held for %.1f s by %s; its callbacks and readers wait", held, who
                )


def describe(frame: FrameType | None) -> str:
    """Return the innermost place that runs in *frame*."""
    if frame is None:
        return "a thread that has ended"
    stack = [
        each
        for each in traceback.extract_stack(frame)
        if not any(f"/{name}/" in each.filename for name in OWN)
    ]
    if not stack:
        return "the event loop itself"
    inner = stack[-1]
    return f"{inner.name} ({inner.filename}:{inner.lineno})"
