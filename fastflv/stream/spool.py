"""Files for pages of the past. They have no names, so that nothing of a stream's name meets the disk, and a crash leaves none.

Blocks: threads call it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from typing import Final

from fastflv import limits
from fastflv._ext.log.spool import SpoolPage

FRAME: Final = 4096
"Pages begin at a multiple of this, bytes."

UNSUPPORTED: Final = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)
"What file systems without O_TMPFILE say."


class Spool:
    """The file that pages of one stream are written to; the space of a full one is freed with its last page."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._fd = -1
        self._at = 0

    def write(self, pages: Iterable[SpoolPage]) -> None:
        """Write *pages*. Raises OSError; those before are written."""
        for page in pages:
            if self._fd < 0 or self._at >= limits.TIMESHIFT_FILE_BYTES:
                self.close()
                self._fd = open_nameless(self.folder)
                self._at = 0
            page.write(self._fd, self._at)
            self._at += -(-page.size // FRAME) * FRAME

    def close(self) -> None:
        """Write no more to the present file; its pages stay."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def open_nameless(folder: str) -> int:
    """Open a new file without a name below *folder*, which is made where it is absent. Raises OSError."""
    os.makedirs(folder, exist_ok=True)
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    # Loaded for such systems alone: it brings 0.6 MB of modules along.
    import tempfile

    fd, path = tempfile.mkstemp(prefix="timeshift-", dir=folder)
    os.unlink(path)
    return fd
