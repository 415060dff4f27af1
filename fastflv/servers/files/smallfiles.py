"""Small files in memory, and what is no file, so that they are answered without a thread each time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from functools import partial

from fastflv import limits
from fastflv.errors import FilesBusyError
from fastflv.net.filepool import FileShare
from fastflv.servers.files.opening import Folders, OpenFile, Unopened, same_files

Found = OpenFile | Unopened


class SmallFiles:
    """What was found for the paths asked for last, each as it was up to `HTTP_SMALL_FILE_SECONDS` ago. Bounded in bytes.

    Files that are asked for again and again are looked at before their time is over, many in one call of a thread.
    """

    def __init__(self, files: FileShare) -> None:
        self._share = files
        self._files: OrderedDict[Folders, tuple[Found, float]] = OrderedDict()
        self._bytes = 0
        self._ageing: dict[Folders, OpenFile] = {}
        "To be looked at with the next call."
        self._called = False

    def find(self, folders: Folders) -> Found | None:
        """Return what *folders* led to; None where that has to be looked at again."""
        found = self._files.get(folders)
        if found is None:
            return None
        file, since = found
        age = self._share.loop.time() - since
        if age > limits.HTTP_SMALL_FILE_SECONDS:
            self._forget(folders)
            return None
        if age > limits.HTTP_SMALL_FILE_AGED_SECONDS and isinstance(file, OpenFile):
            self._ageing[folders] = file
            if not self._called:
                self._called = True
                self._share.loop.call_later(limits.HTTP_SMALL_FILE_GATHER_SECONDS, self._look)
        self._files.move_to_end(folders)
        return file

    def keep(self, folders: Folders, file: Found) -> None:
        """Remember a file whose body was read, or that there is none."""
        self._forget(folders)
        self._files[folders] = file, self._share.loop.time()
        self._bytes += _cost(file)
        while self._bytes > limits.HTTP_SMALL_FILES_BYTES:
            self._forget(next(iter(self._files)))

    def _look(self) -> None:
        self._called = False
        ageing, self._ageing = self._ageing, {}
        begun = self._share.loop.time()
        try:
            looking = self._share.run(same_files, ageing)
        except FilesBusyError:
            # They are looked at one by one when their time is over.
            return
        looking.add_done_callback(partial(self._looked, ageing, begun))

    def _looked(
        self, ageing: dict[Folders, OpenFile], begun: float, looking: asyncio.Future[list[Folders]]
    ) -> None:
        if looking.cancelled():
            return
        for folders in looking.result():
            known = self._files.get(folders)
            if known is not None and known[0] is ageing[folders]:
                self._files[folders] = known[0], begun

    def _forget(self, folders: Folders) -> None:
        found = self._files.pop(folders, None)
        if found is not None:
            self._bytes -= _cost(found[0])


def _cost(found: Found) -> int:
    body = found.body if isinstance(found, OpenFile) else None
    return len(body or b"") + limits.HTTP_SMALL_FILE_EXTRA_BYTES
