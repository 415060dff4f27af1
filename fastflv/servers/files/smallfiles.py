"""Small files in memory, and what is no file, so that they are answered without a thread each time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from fastflv import limits
from fastflv.servers.files.opening import Folders, OpenFile, Unopened

Found = OpenFile | Unopened


class SmallFiles:
    """What was found for the paths asked for last, each as it was up to `HTTP_SMALL_FILE_SECONDS` ago. Bounded in bytes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """*clock*: monotonic, seconds."""
        self._clock = clock
        self._files: OrderedDict[Folders, tuple[Found, float]] = OrderedDict()
        self._bytes = 0

    def find(self, folders: Folders) -> Found | None:
        """Return what *folders* led to; None where that has to be looked at again."""
        found = self._files.get(folders)
        if found is None:
            return None
        file, since = found
        if self._clock() - since > limits.HTTP_SMALL_FILE_SECONDS:
            self._forget(folders)
            return None
        self._files.move_to_end(folders)
        return file

    def keep(self, folders: Folders, file: Found) -> None:
        """Remember a file whose body was read, or that there is none."""
        self._forget(folders)
        self._files[folders] = file, self._clock()
        self._bytes += _cost(file)
        while self._bytes > limits.HTTP_SMALL_FILES_BYTES:
            self._forget(next(iter(self._files)))

    def _forget(self, folders: Folders) -> None:
        found = self._files.pop(folders, None)
        if found is not None:
            self._bytes -= _cost(found[0])


def _cost(found: Found) -> int:
    body = found.body if isinstance(found, OpenFile) else None
    return len(body or b"") + limits.HTTP_SMALL_FILE_EXTRA_BYTES
