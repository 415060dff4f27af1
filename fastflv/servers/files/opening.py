"""Opening a file below a root directory, by the path of a URL. Blocks: threads call it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from fastflv import limits
from fastflv.protocols.http.mediatype import media_type
from fastflv.protocols.http.message import Response
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
    plain: Response | None = None
    "The answer of a small file to a request without conditions."

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


def same_files(files: Mapping[Folders, OpenFile]) -> list[Folders]:
    """Return those of *files*, by what led to them, that would be found again as they are."""
    return [folders for folders, file in files.items() if _is_same(folders, file)]


def _is_same(folders: Folders, file: OpenFile) -> bool:
    """Whether *folders* leads to the same version of the same file. Looks only: a path that was opened leads out of no root."""
    for root, path in folders:
        name = os.path.join(root, path if path and not path.endswith("/") else f"{path}index.html")
        try:
            status = os.stat(name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError):
            return False
        found = Validators.of_file(status.st_size, status.st_mtime_ns, status.st_ino)
        return stat.S_ISREG(status.st_mode) and found == file.validators
    return False


def is_below(path: str, root: str) -> bool:
    """Return whether *path* is *root* or below it; both without links."""
    return path == root or path.startswith(root if root.endswith("/") else root + "/")


def file_head(path: str, validators: Validators) -> Response:
    """Return the head of an answer with a file, or with a part of one that has *validators* of its own."""
    return Response(content_type=media_type(path), headers={**validators.fields, "Accept-Ranges": "bytes"})


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
        if body is None:
            return OpenFile(path, size, validators, fd)
        plain = file_head(path, validators)
        plain.body, plain.kept = body, {}
        return OpenFile(path, size, validators, -1, body, plain)
    except OSError:
        return Unopened.UNAVAILABLE
    finally:
        if not kept:
            os.close(fd)
