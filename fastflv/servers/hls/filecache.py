"""Segment files read whole, once for all who ask within seconds."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from fastflv import limits
from fastflv.servers.hls.files import read_file
from fastflv.servers.hls.store import StoredFile

Run = Callable[[Callable[[str], bytes], str], "asyncio.Future[bytes]"]
"Runs a blocking function on a thread."


class FileCache:
    """The files read last, HLS_CACHE_BYTES at most, and the reads under way."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._bytes = 0
        self._bodies: OrderedDict[StoredFile, bytes] = OrderedDict()
        self._reads: dict[StoredFile, asyncio.Future[bytes]] = {}

    def read(self, file: StoredFile) -> bytes | asyncio.Future[bytes]:
        """Return the bytes of a file, or a future of them that may raise OSError."""
        body = self._bodies.get(file)
        if body is not None:
            self._bodies.move_to_end(file)
            return body
        read = self._reads.get(file)
        if read is None:
            read = self._reads[file] = self._run(read_file, file.path)
            read.add_done_callback(lambda read: self._add(file, read))
        return read

    def _add(self, file: StoredFile, read: asyncio.Future[bytes]) -> None:
        del self._reads[file]
        if read.cancelled() or read.exception() is not None:
            return
        body = self._bodies[file] = read.result()
        self._bytes += len(body)
        while self._bytes > limits.HLS_CACHE_BYTES:
            self._bytes -= len(self._bodies.popitem(last=False)[1])
