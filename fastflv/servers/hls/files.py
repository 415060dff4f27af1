"""HLS files: written whole or not at all, read once for many."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Iterable
from typing import BinaryIO


def write_file(path: str, body: bytes) -> None:
    """Write a file under another name, then rename it: nobody sees half of it. Raises OSError."""
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
            # Another thread may remove the folder again as an empty one: then once more.
            os.makedirs(os.path.dirname(path), exist_ok=True)


def remove_files(root: str, paths: Iterable[str]) -> None:
    """Remove files below *root*, and the folders that become empty; what is not there is no error."""
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


def read_file(path: str) -> bytes:
    """Read a file. Raises OSError."""
    with open(path, "rb") as file:
        return file.read()


def read_text(path: str, most: int) -> str:
    """Read a text of at most *most* bytes; empty when it is not there, longer or no text."""
    try:
        with open(path, "rb") as file:
            body = file.read(most + 1)
        return body.decode() if len(body) <= most else ""
    except (OSError, UnicodeDecodeError):
        return ""


class FileCache:
    """The files read last, up to *most* bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0
        self._files: OrderedDict[str, bytes] = OrderedDict()

    def find(self, path: str) -> bytes | None:
        body = self._files.get(path)
        if body is not None:
            self._files.move_to_end(path)
        return body

    def keep(self, path: str, body: bytes) -> None:
        self.forget(path)
        self._files[path] = body
        self._bytes += len(body)
        while self._bytes > self._most:
            self._bytes -= len(self._files.popitem(last=False)[1])

    def forget(self, path: str) -> None:
        self._bytes -= len(self._files.pop(path, b""))
