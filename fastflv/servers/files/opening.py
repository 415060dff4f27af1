"""Opening a file below a root directory, by the path of a URL. Blocks: threads call it."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from enum import Enum
from typing import Final

from fastflv import limits
from fastflv.protocols.http.validators import Validators

ABSENT_ERRORS: Final = (errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.EINVAL)
"Links in a circle, a name that no file can have, a device that is gone."


Folders = tuple[tuple[str, str], ...]
"Root directories, and the path below each, in the order in which they are asked for a file."


class Unopened(Enum):
    """Why there is no file."""

    ABSENT = 404
    FORBIDDEN = 403
    "The process may not read it."
    FOLDER = 301
    "A directory: its URL ends with a slash."
    UNAVAILABLE = 503
    "No descriptor, or an error of the disk."


@dataclass(slots=True)
class OpenFile:
    """An open regular file, or all of a small one."""

    path: str
    "In the file system, without links."
    size: int
    validators: Validators
    fd: int = -1
    "Owned by whoever has this object; -1 where `body` has everything."
    body: bytes | None = None

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def open_first(folders: Folders) -> OpenFile | Unopened:
    """Open the file in the first of *folders* that has it."""
    result: OpenFile | Unopened = Unopened.ABSENT
    for root, path in folders:
        result = open_below(root, path)
        if result is not Unopened.ABSENT:
            break
    return result


def open_below(root: str, path: str) -> OpenFile | Unopened:
    """Open the regular file at *path*, decoded and relative, below the directory *root*.

    A path that ends with a slash, or is empty, names the `index.html` of a directory. Links are followed as long as they stay
    below *root*. Nothing but regular files is opened: opening a pipe would wait for its writer.
    """
    if (
        path.startswith("/")
        or "\0" in path
        or "\\" in path
        or any(part in (".", "..") for part in path.split("/"))
    ):
        return Unopened.ABSENT
    if not path or path.endswith("/"):
        path += "index.html"
    try:
        base = os.path.realpath(root)
        found = os.path.realpath(os.path.join(base, path), strict=True)
        if not is_below(found, base):
            return Unopened.ABSENT
        status = os.stat(found)
        if stat.S_ISDIR(status.st_mode):
            return Unopened.FOLDER if os.path.isfile(os.path.join(found, "index.html")) else Unopened.ABSENT
        if not stat.S_ISREG(status.st_mode):
            return Unopened.ABSENT
        # The file may be exchanged for a pipe or a link meanwhile.
        fd = os.open(found, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    except PermissionError:
        return Unopened.FORBIDDEN
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return Unopened.ABSENT
    except OSError as error:
        return Unopened.ABSENT if error.errno in ABSENT_ERRORS else Unopened.UNAVAILABLE
    return _read(found, fd)


def is_below(path: str, root: str) -> bool:
    """Return whether *path* is *root* or below it; both without links."""
    return path == root or path.startswith(root if root.endswith("/") else root + "/")


def _read(path: str, fd: int) -> OpenFile | Unopened:
    """Describe the open file, and read a small one. *fd* belongs to the result, or is closed."""
    kept = False
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return Unopened.ABSENT
        size = status.st_size
        body = None
        if size <= limits.HTTP_SMALL_FILE_BYTES_MAX:
            # It may be truncated meanwhile.
            body = os.pread(fd, size, 0)
            size = len(body)
        kept = body is None
        validators = Validators.of_file(size, status.st_mtime_ns, status.st_ino)
        return OpenFile(path, size, validators, fd if kept else -1, body)
    except OSError:
        return Unopened.UNAVAILABLE
    finally:
        if not kept:
            os.close(fd)
