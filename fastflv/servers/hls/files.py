"""HLS files: written whole or not at all, and removed with the directories that become empty."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import BinaryIO


def write_file(path: str, body: bytes) -> None:
    """Write a file under another name, then rename it, so that no reader sees half a file. Raises OSError."""
    part = f"{path}.part"
    try:
        with _create(part) as file:
            file.write(body)
        os.replace(part, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def _create(path: str) -> BinaryIO:
    while True:
        try:
            return open(path, "wb")
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
    """Return the size in bytes of each file below *root* that exists."""
    sizes = {}
    for path in paths:
        with contextlib.suppress(OSError):
            sizes[path] = os.stat(os.path.join(root, path)).st_size
    return sizes


def read_text(path: str, most: int) -> str:
    """Read a text file; empty when it is missing, longer than *most* bytes, or not UTF-8."""
    try:
        with open(path, "rb") as file:
            body = file.read(most + 1)
        return body.decode() if len(body) <= most else ""
    except (OSError, UnicodeDecodeError):
        return ""
