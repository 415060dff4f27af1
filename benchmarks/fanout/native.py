"""Compile the C programs of the harness into the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.fanout.errors import BenchError

SOURCE = Path(__file__).parent / "native"
PROGRAMS = {
    "publisher": ("publisher.c", "rtmp.c", "clip.c"),
    "load": ("load.c", "crowd.c", "probe.c", "storm.c", "lazy.c", "wire.c", "peer.c", "tally.c", "clip.c"),
    "floor": ("floor.c", "clip.c"),
}
FLAGS = ("-O2", "-Wall", "-pthread")


def cache_dir() -> Path:
    """Return the directory for programs and clips, made when absent."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = base / "fastflv-fanout"
    path.mkdir(parents=True, exist_ok=True)
    return path


def build(name: str, cache: Path) -> Path:
    """Return the path of a program; compiled anew when any C source has changed."""
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for source in sorted(SOURCE.iterdir()):
        digest.update(source.read_bytes())
    program = cache / f"{name}-{digest.hexdigest()[:12]}"
    if program.exists():
        return program
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise BenchError("no C compiler: install gcc or clang, or set CC")
    part = program.with_suffix(f".{os.getpid()}")
    sources = [str(SOURCE / s) for s in PROGRAMS[name]]
    done = subprocess.run([compiler, *FLAGS, "-o", str(part), *sources], capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"cannot compile {name}: {done.stderr.strip().splitlines()[:1]}")
    part.rename(program)
    return program
