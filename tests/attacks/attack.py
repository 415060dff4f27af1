"""One attack on a fresh server: the delay of a healthy stream and the server's memory, before, meanwhile and after."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bystanders import Bystanders, Figures
from server import MIB, Server

FIGURES = "figures"
"Name of the property of a test that the table behind the results shows."
STRICT = "FASTFLV_ATTACKS" in os.environ
"`make attacks` on a machine with nothing else to do: the bounds are those that users are promised."
SANITIZED = "FASTFLV_SANITIZED" in os.environ
DELAY_MS = 25.0
"Bound of the p99 on a quiet machine."
DELAY_SHARED_MS = 300.0
"Bound in the suite, besides twice the lateness that the machine shows by itself: faults of this kind take seconds."
BACK_BYTES = 20 * MIB
"How far above the start memory may be once an attack is over."
BACK_SECONDS = 30.0


class Memory(NamedTuple):
    """Resident memory of the server, bytes."""

    before: int
    peak: int
    after: int
    "At the latest BACK_SECONDS after the attack; sooner where it is within BACK_BYTES before."

    @property
    def grown(self) -> int:
        """The most above the start."""
        return self.peak - self.before


class Attack:
    """A server with healthy streams beside whatever a test does to it."""

    def __init__(self, server: Server, bystanders: Bystanders) -> None:
        self.server = server
        self._bystanders = bystanders
        self.delay: Figures
        self.memory: Memory

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure what the body of the `with` does to others. Its connections may be closed inside or behind it."""
        status = Path(f"/proc/{self.server.pid}")
        (status / "clear_refs").write_text("5")
        before = self.server.resident()
        self._bystanders.mark()
        yield
        self.delay = self._bystanders.figures()
        lines = (status / "status").read_text().splitlines()
        peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) << 10
        self.memory = Memory(before, peak, peak)

    def check_delay(self, bound_ms: float = DELAY_MS) -> None:
        """Nobody else was held up, and no one was closed. *bound_ms*: p99 on a quiet machine."""
        assert not self.delay.lost, self.delay.lost
        bound = bound_ms if STRICT else max(bound_ms, DELAY_SHARED_MS) + 2 * self.delay.machine_ms
        assert self.delay.p99_ms <= bound * (10 if SANITIZED else 1), self.delay

    def check_memory(self, peak: int) -> None:
        """Memory grew by *peak* bytes at most, and is back within BACK_BYTES of the start after BACK_SECONDS."""
        deadline = time.monotonic() + BACK_SECONDS
        while (after := self.server.resident()) > self.memory.before + BACK_BYTES:
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        self.memory = self.memory._replace(after=after)
        assert self.memory.grown <= peak, self.text
        assert after <= self.memory.before + BACK_BYTES, self.text

    @property
    def text(self) -> str:
        """The figures in one line."""
        mib = [f"{size / (1 << 20):.0f}" for size in self.memory]
        return (
            f"p50 {self.delay.p50_ms} p99 {self.delay.p99_ms} max {self.delay.worst_ms} ms"
            f" (machine {self.delay.machine_ms}); RSS {mib[0]}, peak {mib[1]}, after {mib[2]} MB"
        )
