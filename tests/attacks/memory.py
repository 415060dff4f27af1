"""Resident memory of a server: before something is done to it, at the most, and once that is over."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from server import MIB, Server, until

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

    @property
    def is_back(self) -> bool:
        return self.after <= self.before + BACK_BYTES

    def __str__(self) -> str:
        before, peak, after = (f"{size / (1 << 20):.0f}" for size in self)
        return f"RSS {before}, peak {peak}, after {after} MB"


class MemoryWatch:
    """Measures from now on; the kernel keeps the peak (`VmHWM`)."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._folder = Path(f"/proc/{server.pid}")
        (self._folder / "clear_refs").write_text("5")
        self._before = server.resident()

    def so_far(self) -> Memory:
        rows = (line.split() for line in (self._folder / "status").read_text().splitlines())
        kb = {row[0]: int(row[1]) for row in rows if row[-1] == "kB"}
        # The peak has files too, `resident` has not; few of their pages come or go in an attack.
        peak = kb["VmHWM:"] - kb["RssFile:"] - kb["RssShmem:"] << 10
        return Memory(self._before, peak, peak)

    def settled(self, memory: Memory) -> Memory:
        """Return *memory* with what stays: wait until it is back, BACK_SECONDS at most."""
        with suppress(AssertionError):
            until(lambda: self._server.resident() <= memory.before + BACK_BYTES, "memory", BACK_SECONDS)
        return memory._replace(after=self._server.resident())
