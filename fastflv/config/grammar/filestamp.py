"""File stamps: what tells a changed configuration file from an unchanged one."""

from __future__ import annotations

import os
from typing import NamedTuple, TypeAlias


class FileStamp(NamedTuple):
    """How a file looks from outside; a symbolic link looks as its target does."""

    mtime_ns: int
    size: int
    "Bytes."

    inode: int


FileStamps: TypeAlias = dict[str, FileStamp | None]
"By absolute path; None: the file could not be found."


def stamp_of(path: str) -> FileStamp | None:
    """Look at *path*; None for a file that cannot be found."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return FileStamp(status.st_mtime_ns, status.st_size, status.st_ino)
