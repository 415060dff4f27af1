"""FLV files as sources of tags."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from io import BufferedReader
from typing import cast

from fastflv import limits
from fastflv.containers.flv.reader import FlvReader, FlvTag
from fastflv.errors import FlvHeaderError, PeerError, ToolError
from fastflv.net.peertext import printable
from fastflv.tools.interrupt import Interrupt


class FileSource:
    """The tags of one FLV file, `-`: of stdin. Damage ends it, and `fault` says so."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.flags = -1
        "Of the FLV header."
        self.received = 0
        "Bytes read."
        self.size = 0
        "Bytes of the file; 0 where that is not known."
        self.interrupt = Interrupt()
        "What may end a wait for a pipe."
        self.fault = ""
        "Why the rest of the file was not read, one sentence; empty: it was."

    def tags(self) -> Iterator[list[FlvTag]]:
        """Read the file. Raises ToolError where it cannot be opened, or is no FLV."""
        reader = FlvReader()
        try:
            with self._open() as file:
                self.size = _size(file)
                while data := self._read(file):
                    self.received += len(data)
                    found: list[FlvTag] = []
                    try:
                        reader.take(data, found)
                    except FlvHeaderError as error:
                        raise ToolError(f"{self.name} is no FLV file: {error.detail}") from error
                    except PeerError as error:
                        self.fault = f"{self.name} is damaged from byte {reader.offset} on: {error.detail}"
                    self.flags = reader.flags
                    if found:
                        yield found
                    if self.fault:
                        return
        except FileNotFoundError:
            raise ToolError(
                f"there is no file {self.name}; give an FLV file, or for a live stream give an http, https, ws, wss, rtmp"
                " or rtmps URL"
            ) from None
        except OSError as error:
            raise ToolError(
                f"{self.name} cannot be read: {(error.strerror or str(error)).lower()}"
            ) from error
        if reader.flags < 0:
            raise ToolError(f"{self.name} is no FLV file: it ends before its header does")
        if reader.waiting:
            self.fault = f"{self.name} is cut off: its last tag, from byte {reader.offset} on, is not whole"

    def _open(self) -> AbstractContextManager[BufferedReader]:
        if self.path == "-":
            return nullcontext(cast(BufferedReader, sys.stdin.buffer))
        return open(self.path, "rb")

    def _read(self, file: BufferedReader) -> bytes:
        """Return what is there of the next bytes: a pipe is not waited for until it has as many."""
        with self.interrupt.waiting():
            return file.read1(limits.TOOL_READ_BYTES)

    @property
    def name(self) -> str:
        return printable(self.path) if self.path != "-" else "stdin"


def _size(file: BufferedReader) -> int:
    """Bytes of a regular file; 0 for a pipe."""
    try:
        return os.fstat(file.fileno()).st_size
    except OSError:
        return 0


def is_file(word: str) -> bool:
    """Whether a word of the command line names a file rather than a URL."""
    return "://" not in word
