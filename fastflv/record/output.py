"""A file that is being recorded: under a temporary name until it is finished. Blocks: threads call it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fastflv import limits
from fastflv.net.filepool import write_whole

if TYPE_CHECKING:
    from fastflv.containers.filewriter import Patch

TEMPORARY = ".tmp"
"What a file has behind its name while it is written, as in SRS."


class Output:
    """One file. Every method may raise OSError, which names the file."""

    def __init__(self, path: str) -> None:
        """*path*: wanted; where that file is there already, another name is taken."""
        self.path = path
        "The name that the file gets; valid after `open`."
        self.created = False
        "It has its temporary name, or its own."
        self.finished = False
        self._fd = -1

    def open(self) -> None:
        """Create the file and its directories; nothing that is there is overwritten."""
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        stem, dot, ending = self.path.rpartition(".")
        for turn in range(limits.RECORD_NAMES_MAX):
            path = f"{stem}-{turn}{dot}{ending}" if turn else self.path
            if os.path.lexists(path):
                continue
            try:
                self._fd = os.open(
                    path + TEMPORARY, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644
                )
            except FileExistsError:
                continue
            # A repair keeps away from a file that is being written.
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.path = path
            self.created = True
            return
        raise FileExistsError(17, "too many files of that name", self.path)

    def append(self, data: bytes) -> None:
        """Write *data* behind what is there."""
        with self._named():
            write_whole(self._fd, data)

    def finish(self, patches: Callable[[Callable[[int, int], bytes]], Iterator[Patch]]) -> None:
        """Complete the file by *patches*, and give it its name."""
        with self._named():
            for offset, data in patches(self._read):
                os.lseek(self._fd, offset, os.SEEK_SET)
                write_whole(self._fd, data)
            os.fsync(self._fd)
            os.rename(self.path + TEMPORARY, self.path)
            self.finished = True
        self.close()

    def close(self) -> None:
        """Close the file; what was written stays under its temporary name."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read(self, offset: int, size: int) -> bytes:
        return os.pread(self._fd, size, offset)

    def _named(self) -> _Named:
        return _Named(self.path)


class _Named:
    """Gives an OSError without a file name the name of this one: a full disk does not tell of which file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and not error.filename:
            error.filename = self._path
