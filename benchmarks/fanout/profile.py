"""Where a server's CPU goes: one perf record after the measured window, so that the figures do not pay for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.fanout.errors import BenchError

SECONDS = 5
LINES = 60  # of the report that are kept
CLOCK = "cpu-clock"  # virtual machines have no hardware counters


def record(pid: int, target: Path) -> None:
    """Sample all threads of a process and write the flat report, busiest functions first."""
    perf = shutil.which("perf")
    if perf is None:
        raise BenchError("--profile needs perf on PATH")
    data = target.with_suffix(".data")
    sampling = [
        "record",
        "-q",
        "-e",
        CLOCK,
        "-F",
        "999",
        "-p",
        str(pid),
        "-o",
        str(data),
        "--",
        "sleep",
        str(SECONDS),
    ]
    reporting = ["report", "--stdio", "--no-children", "-F", "overhead,comm,dso,symbol", "-i", str(data)]
    done = subprocess.run([perf, *sampling], capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(
            f"perf record failed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
        )
    text = subprocess.run([perf, *reporting], capture_output=True, text=True).stdout
    found = [line.rstrip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    target.write_text("\n".join(found[:LINES]) + "\n")
    data.unlink(missing_ok=True)
