"""The log as a file."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers


class LogFile(logging.handlers.WatchedFileHandler):
    """A log file: once it was moved, the next line opens a new one. A line that cannot be written is lost, and nothing else."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            super().emit(record)

    def reopen(self) -> None:
        """Open the file anew, moved or not. Raises OSError."""
        # The lock of the handler: other threads write lines too.
        self.acquire()
        try:
            if self.stream is not None:
                self.stream.close()
                self.stream = None
            self.stream = self._open()
            self._statstream()
        finally:
            self.release()
