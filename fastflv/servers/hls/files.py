"""HLS files: written whole or not at all, and removed with the directories that become empty."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Mapping
from typing import BinaryIO, NamedTuple


class FileMark(NamedTuple):
    """Tells a file from one that has got its name since. Inode numbers are used again, so the time belongs to it."""

    inode: int
    mtime_ns: int


def write_file(path: str, body: bytes) -> FileMark:
    """Write a file under another name, then rename it, so that no reader sees half a file.

    Raises OSError, which names the file.
    """
    part = f"{path}.part"
    try:
        with _create(part) as file:
            file.write(body)
        mark = _mark(os.lstat(part))
        os.replace(part, path)
        return mark
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


def remove_files(root: str, files: Mapping[str, FileMark]) -> None:
    """Remove files below *root* and the directories that become empty.

    Other files that have got their names since stay; missing files are no error.
    """
    folders = set()
    for path, mark in files.items():
        full = os.path.join(root, path)
        try:
            if _mark(os.lstat(full)) != mark:
                continue
            os.unlink(full)
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


def find_files(root: str, paths: Iterable[str]) -> dict[str, tuple[int, FileMark]]:
    """Return size in bytes and mark of each file below *root* that exists; links are none."""
    files = {}
    for path in paths:
        with contextlib.suppress(OSError):
            found = os.lstat(os.path.join(root, path))
            if stat.S_ISREG(found.st_mode):
                files[path] = found.st_size, _mark(found)
    return files


def read_text(path: str, most: int) -> tuple[str, FileMark | None]:
    """Read a text file, with its mark; empty when it is missing, a link, longer than *most* bytes, or not UTF-8."""
    try:
        with open(path, "rb", opener=_open_unlinked) as file:
            body, mark = file.read(most + 1), _mark(os.fstat(file.fileno()))
        return (body.decode(), mark) if len(body) <= most else ("", None)
    except (OSError, UnicodeDecodeError):
        return "", None


def _mark(found: os.stat_result) -> FileMark:
    return FileMark(found.st_ino, found.st_mtime_ns)


def _open_unlinked(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)
