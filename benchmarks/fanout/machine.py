"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
import resource
from pathlib import Path

from benchmarks.fanout.errors import BenchError

SPARE_FILES = 200  # descriptors of a server or client that are not players


def describe() -> dict[str, str]:
    """Return processor, cores, kernel, memory and Python."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "processor": model,
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "memory": f"{memory_kb / 2**20:.0f} GiB",
        "python": platform.python_version(),
    }


def raise_file_limit(players: int) -> None:
    """Raise the soft limit to the hard one, for this process and its children; refuse when it is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    need = players + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < need:
        raise BenchError(
            f"the open-file limit is {hard}, {players} players need {need}: run ulimit -n {need} first"
        )


def split_cores() -> tuple[set[int], set[int]]:
    """Return the cores of the server and of the client: the first two that this process may use."""
    allowed = sorted(os.sched_getaffinity(0))
    return {allowed[0]}, {allowed[1] if len(allowed) > 1 else allowed[0]}
