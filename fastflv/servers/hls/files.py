"""HLS files: written whole or not at all, and removed with the directories that become empty."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from typing import BinaryIO


def write_file(path: str, body: bytes) -> None:
    """Write a file under another name, then rename it, so that no reader sees half a file.

    Raises OSError, which names the file.
    """
    part = f"{path}.part"
    try:
        with _create(part) as file:
            file.write(body)
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(part)
        # A write that fails, on a full disk for example, does not tell of which file.
        error.filename = error.filename or path
        raise


def _create(path: str) -> BinaryIO:
    """Create a file that is not there; what has its name is removed first, and a link is not followed."""
    while True:
        try:
            return open(path, "xb")
        except FileExistsError:
            os.unlink(path)
        except FileNotFoundError:
            # Another thread may remove the empty directory before the file is created: try again.
            os.makedirs(os.path.dirname(path), exist_ok=True)


def remove_files(root: str, paths: Iterable[str]) -> None:
    """Remove files below *root* and the directories that become empty; missing files are no error."""
    folders = set()
    for path in paths:
        try:
            os.unlink(os.path.join(root, path))
        except OSError:
            continue
        folders.add(os.path.dirname(path))
    for folder in sorted(folders, key=len, reverse=True):
        while folder:
            try:
                os.rmdir(os.path.join(root, folder))
            except OSError:
                break
            folder = os.path.dirname(folder)


def file_sizes(root: str, paths: Iterable[str]) -> dict[str, int]:
    """Return the size in bytes of each file below *root* that exists; links are none."""
    sizes = {}
    for path in paths:
        with contextlib.suppress(OSError):
            found = os.lstat(os.path.join(root, path))
            if stat.S_ISREG(found.st_mode):
                sizes[path] = found.st_size
    return sizes


def read_text(path: str, most: int) -> str:
    """Read a text file; empty when it is missing, a link, longer than *most* bytes, or not UTF-8."""
    try:
        with open(path, "rb", opener=_open_unlinked) as file:
            body = file.read(most + 1)
        return body.decode() if len(body) <= most else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _open_unlinked(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)
