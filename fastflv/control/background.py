"""The way to the background, and the look for a container, where a server stays in the foreground."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

MARKS: Final = (".dockerenv", "run/.containerenv")
"Files that Docker and Podman put into a container, below the root."

CGROUPS: Final = ("docker", "kubepods", "containerd", "/lxc/")
"Words in the control groups of a container's first process (cgroup v1); SRS looks there too."


def in_container(environ: Mapping[str, str], root: Path = Path("/")) -> bool:
    """Return whether this process runs in a container, by its files, its control groups and the variable `container`."""
    if environ.get("container") or any((root / mark).exists() for mark in MARKS):
        return True
    try:
        groups = (root / "proc/1/cgroup").read_text("utf-8", "replace")
    except OSError:
        return False
    return any(word in groups for word in CGROUPS)


def go_to_background() -> Callable[[str], None]:
    """Fork: return in the background process alone. Call before any thread starts.

    The process that was started waits until the one in the background calls the function returned, prints the text
    given to it, and exits with 0. It exits with 1 when the other ends before that. Errors reach the terminal: the
    background keeps the standard streams until it is ready.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    read, write = os.pipe()
    if os.fork():
        os.close(write)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os._exit(_wait(read))
    os.close(read)
    os.setsid()
    if os.fork():
        os._exit(0)

    def ready(text: str) -> None:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        if null > 2:
            os.close(null)
        with os.fdopen(write, "w") as pipe:
            pipe.write(text)

    return ready


def _wait(read: int) -> int:
    """Print what the background process says; return the exit status."""
    with os.fdopen(read) as pipe:
        text = pipe.read()
    if text:
        print(text, flush=True)
    return 0 if text else 1
