"""CPU time and memory of a process, from /proc."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


@dataclass(frozen=True, slots=True)
class CpuMark:
    """CPU used so far by processes and their living threads."""

    at: float
    "time.monotonic(), seconds."

    total: float
    "utime + stime of the processes with all their threads, ended ones too, seconds."

    threads: dict[int, tuple[str, float]] = field(default_factory=dict)
    "Thread id to (name, seconds)."


@dataclass(frozen=True, slots=True)
class CpuUse:
    """CPU used between two marks, in percent of one core."""

    percent: float
    threads: list[tuple[str, float]]
    "(name, percent), the main thread first, the others busiest first."


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory, KiB."""

    rss: int
    pss: int


def _stat_seconds(stat: str) -> tuple[str, float]:
    """Return (name, utime + stime in seconds) from one line of /proc/*/stat."""
    name = stat[stat.index("(") + 1 : stat.rindex(")")]
    fields = stat[stat.rindex(")") + 2 :].split()
    return name, (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def cpu_mark(*pids: int) -> CpuMark:
    """Read the counters of processes now. They are exact sums of run time, rounded to a tick (10 ms) a process."""
    total = sum(_stat_seconds(Path(f"/proc/{pid}/stat").read_text())[1] for pid in pids)
    threads: dict[int, tuple[str, float]] = {}
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            try:
                threads[int(task.name)] = _stat_seconds((task / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):  # a thread that just ended
                continue
    return CpuMark(time.monotonic(), total, threads)


def children(pid: int) -> list[int]:
    """Return the processes that one has started and that live."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_between(start: CpuMark, end: CpuMark) -> CpuUse:
    """Turn two marks of the same processes into percent of one core."""
    seconds = max(end.at - start.at, 1e-6)
    main = min(end.threads, default=0)
    used = []
    for tid, (name, busy) in end.threads.items():
        before = start.threads.get(tid, (name, 0.0))[1]
        used.append((tid != main, -(busy - before), name))
    used.sort()
    threads = [(name, round(-busy * 100 / seconds, 2)) for _, busy, name in used]
    return CpuUse((end.total - start.total) * 100 / seconds, threads)


def memory(pid: int) -> Memory:
    """Read RSS and PSS; PSS falls back to RSS where smaps_rollup is absent."""
    rss = 0
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            rss = int(line.split()[1])
    pss = rss
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                pss = int(line.split()[1])
    except OSError:
        pass
    return Memory(rss, pss)


class ResidentOverTime:
    """Resident memory of processes, looked at while a measurement goes on: GOPs come and go, and one look finds any part of it."""

    EVERY = 0.25
    "Seconds between two looks."

    def __init__(self, pids: list[int]) -> None:
        self._pids = pids
        self._seen: list[int] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> ResidentOverTime:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def mean(self) -> int:
        """KiB of all processes."""
        return sum(self._seen) // max(len(self._seen), 1)

    @property
    def most(self) -> int:
        """KiB of all processes."""
        return max(self._seen, default=0)

    def _look(self) -> None:
        with contextlib.suppress(OSError):
            # A process that has ended is told of by who looks after it.
            while not self._over.wait(self.EVERY if self._seen else 0):
                pages = (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self._pids)
                self._seen.append(sum(pages) * PAGE_KIB)


def core_busy(cpu: int) -> tuple[int, int]:
    """Return (busy, total) ticks of one core so far, all processes; from /proc/stat."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{cpu} "):
            ticks = [int(x) for x in line.split()[1:9]]
            return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
    return 0, 1


def softirq_thread(cpu: int) -> int | None:
    """Return the pid of a core's ksoftirqd; None where /proc does not show it, as in containers."""
    for task in Path("/proc").iterdir():
        try:
            if task.name.isdigit() and (task / "comm").read_text().strip() == f"ksoftirqd/{cpu}":
                return int(task.name)
        except OSError:  # a process that just ended
            continue
    return None
