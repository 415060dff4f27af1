"""The process: its pid file, open files, early signals, and the parent to follow."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fastflv.errors import StartupError

CALM: Final = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"Signals that end no server."


class PidFile:
    """A file with the process id, locked while the process lives: a second server with it refuses to start."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = self._open()
        except OSError as error:
            why = (
                "it is a symbolic link, which is not followed"
                if error.errno == errno.ELOOP
                else error.strerror
            )
            raise StartupError(
                f"cannot write the pid file {path}: {why}; set `pid` to another path"
            ) from error
        text = str(os.getpid()).encode()
        # In this order nobody reads an empty file where one process follows another.
        os.pwrite(self._fd, text, 0)
        os.ftruncate(self._fd, len(text))

    def _open(self) -> int:
        """Open and lock the file. Raises OSError, and StartupError where another process holds it."""
        while True:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            try:
                # lockf locks belong to the process, as SRS's do: a server of either kind keeps the other out.
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.read(fd, 32).decode("ascii", "replace").strip()
                os.close(fd)
                raise StartupError(
                    f"process {holder or 'another'} runs with the pid file {self._path}; stop it, or set `pid` "
                    "to another path"
                ) from None
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(fd), os.stat(self._path)):
                    return fd
            # Its former holder removed it between the open and the lock.
            os.close(fd)

    def leave(self) -> None:
        """Give up the lock; the file stays, for another process."""
        os.close(self._fd)

    def release(self) -> None:
        """Remove the file and give up the lock."""
        with contextlib.suppress(OSError):
            # While the lock is held: a server that starts meanwhile must find its own file.
            if os.path.samestat(os.fstat(self._fd), os.stat(self._path)):
                self._path.unlink()
        os.close(self._fd)


def ignore_early_signals() -> None:
    """Survive signals of log rotation and the like that come before the server has handlers for them."""
    for number in CALM:
        signal.signal(number, signal.SIG_IGN)


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
