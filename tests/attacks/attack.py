"""One attack on a fresh server: the delay of a healthy stream and the server's memory, before, meanwhile and after."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from bystanders import Bystanders, Figures
from memory import Memory, MemoryWatch
from patience import SANITIZED
from server import Server

FIGURES = "figures"
"Name of the property of a test that the table behind the results shows."
STRICT = "FASTFLV_ATTACKS" in os.environ
"`make attacks` on a machine with nothing else to do: the bounds are those that users are promised."
DELAY_MS = 25.0
"Bound of the p99 on a quiet machine."
DELAY_SHARED_MS = 300.0
"Bound in the suite, besides twice the lateness that the machine shows by itself: faults of this kind take seconds."


class Attack:
    """A server with healthy streams beside whatever a test does to it."""

    def __init__(self, server: Server, bystanders: Bystanders) -> None:
        self.server = server
        self._bystanders = bystanders
        self.delay: Figures
        self.memory: Memory
        self._watch: MemoryWatch

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure what the body of the `with` does to others. Its connections may be closed inside or behind it."""
        self._watch = MemoryWatch(self.server)
        self._bystanders.mark()
        yield
        self.delay = self._bystanders.figures()
        self.memory = self._watch.so_far()

    def check_delay(self, bound_ms: float = DELAY_MS) -> None:
        """Nobody else was held up, and no one was closed. *bound_ms*: p99 on a quiet machine."""
        assert not self.delay.lost, self.delay.lost
        bound = bound_ms if STRICT else max(bound_ms, DELAY_SHARED_MS) + 2 * self.delay.machine_ms
        assert self.delay.p99_ms <= bound * (10 if SANITIZED else 1), self.delay

    def check_memory(self, peak: int) -> None:
        """Memory grew by *peak* bytes at most, and is back within BACK_BYTES of the start after BACK_SECONDS."""
        self.memory = self._watch.settled(self.memory)
        assert self.memory.grown <= peak, self.text
        assert self.memory.is_back, self.text

    @property
    def text(self) -> str:
        """The figures in one line."""
        return (
            f"p50 {self.delay.p50_ms} p99 {self.delay.p99_ms} max {self.delay.worst_ms} ms"
            f" (machine {self.delay.machine_ms}); {self.memory}"
        )
