"""Compile the C programs of the harness into the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.fanout.errors import BenchError

SOURCE = Path(__file__).parent / "native"
PARTS = (
    "load",
    "crowd",
    "probe",
    "storm",
    "joins",
    "lazy",
    "session",
    "answer",
    "websocket",
    "flv",
    "ts",
    "rtmpplay",
)
LOAD = (*(f"{part}.c" for part in PARTS), "peer.c", "tally.c", "clip.c")
PROGRAMS = {
    "publisher": ("publisher.c", "rtmp.c", "clip.c"),
    "load": (*LOAD, "tls_absent.c"),
    "load-tls": (*LOAD, "tls.c"),
    "floor": ("floor.c", "clip.c"),
}
FLAGS = ("-O2", "-Wall", "-pthread")
LIBRARIES = {"load-tls": ("-lssl", "-lcrypto")}
MISSING = {
    "openssl/err.h": "HTTPS needs OpenSSL's headers: install libssl-dev (Debian) or openssl-devel (Fedora)",
    "-lssl": "HTTPS needs OpenSSL's library to link with: install libssl-dev or openssl-devel",
}


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
    command = [compiler, *FLAGS, "-o", str(part), *sources, *LIBRARIES.get(name, ())]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        for sign, advice in MISSING.items():
            if name in LIBRARIES and sign in done.stderr:
                raise BenchError(advice)
        raise BenchError(f"cannot compile {name}: {done.stderr.strip().splitlines()[:1]}")
    part.rename(program)
    return program
