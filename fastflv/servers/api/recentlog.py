"""The newest lines of the log, kept in memory for the API."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from fastflv import limits
from fastflv.net.peertext import printable


class LogLine(NamedTuple):
    """One line of the log."""

    number: int
    "Counts the lines of the process, from 1."

    time: float
    "Wall clock, seconds since 1970."

    level: int
    "As `logging` has it."

    client: str
    "Id of the connection that the line is about; empty without one."

    peer: str
    "Its address; empty without one."

    text: str

    error: str
    "Traceback; empty without one."

    @property
    def chars(self) -> int:
        """What the line counts as, characters."""
        return len(self.text) + len(self.error) + limits.LOG_KEPT_LINE_CHARS


class RecentLog(logging.Handler):
    """Keeps the newest lines, LOG_KEPT_LINES and LOG_KEPT_CHARS at most. Threads may log; the event loop reads."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[LogLine] = deque()
        self._chars = 0
        self._number = 0

    def emit(self, record: logging.LogRecord) -> None:
        error = _traceback(record)
        self._number += 1
        line = LogLine(
            self._number,
            record.created,
            record.levelno,
            getattr(record, "client", ""),
            getattr(record, "peer", ""),
            printable(record.getMessage()[: limits.LOG_LINE_CHARS_MAX]),
            error,
        )
        self._lines.append(line)
        self._chars += line.chars
        while len(self._lines) > limits.LOG_KEPT_LINES or self._chars > limits.LOG_KEPT_CHARS:
            self._chars -= self._lines.popleft().chars

    @property
    def newest(self) -> int:
        """Number of the newest line; 0 before the first."""
        return self._number

    def since(self, number: int) -> Iterator[LogLine]:
        """Return the lines that are kept behind the one of that number, the oldest first."""
        # The lock of the handler: another thread may write a line meanwhile.
        self.acquire()
        try:
            lines = list(islice(self._lines, max(number - self._number + len(self._lines), 0), None))
        finally:
            self.release()
        return iter(lines)


def _traceback(record: logging.LogRecord) -> str:
    if not record.exc_info:
        return ""
    text = logging.Formatter().formatException(record.exc_info)
    # The innermost frames stand last.
    return "\n".join(map(printable, text[-limits.LOG_TRACE_CHARS :].split("\n")))
