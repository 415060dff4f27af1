"""The process: background, pid file, open files, and the parent to follow."""

from __future__ import annotations

import fcntl
import os
import resource
from collections.abc import Callable
from pathlib import Path

from fastflv.errors import StartupError


def daemonize() -> None:
    """Go to the background: no terminal, no parent, standard streams to /dev/null. Call before any thread starts."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    if null > 2:
        os.close(null)


class PidFile:
    """A file with the process id, locked while the process lives: a second server with it refuses to start."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StartupError(
                f"cannot write the pid file {path}: {error.strerror}; set `pid` to another path"
            ) from error
        try:
            # lockf locks belong to the process, as SRS's do: a server of either kind keeps the other out.
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._fd, 32).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise StartupError(
                f"process {holder or 'another'} runs with the pid file {path}; stop it, or set `pid` to another path"
            ) from None
        os.ftruncate(self._fd, 0)
        os.write(self._fd, str(os.getpid()).encode())

    def release(self) -> None:
        """Empty the file and give up the lock."""
        os.ftruncate(self._fd, 0)
        os.close(self._fd)


def watch_parent(add_reader: Callable[[int, Callable[[], None]], None], ended: Callable[[], None]) -> None:
    """Call *ended* when the parent process does, without polling for it (`asprocess on`)."""
    parent = os.getppid()
    try:
        fd = os.pidfd_open(parent)
    except OSError as error:
        raise StartupError(f"cannot watch the parent process {parent}: {error.strerror}") from error
    add_reader(fd, ended)


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one; return what is in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft
