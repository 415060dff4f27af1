"""Folding of the log: lines of one form that one peer causes are counted beyond a bound, and shown as one line."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fastflv import limits
from fastflv.net.ip import network_of

OTHERS: Final = "other addresses"
"In place of an address, where too many of them write."


@dataclass(slots=True)
class Form:
    """Lines of one form and peer within the present span."""

    chars: int = 0
    "Characters of the lines that were written."

    folded: int = 0
    "Lines that were not."

    newest: logging.LogRecord | None = None
    "The newest of them; it is formatted when it is written."


class LogFold(logging.Filter):
    """Filter of a handler: within LOG_FOLD_SECONDS a peer has LOG_FOLD_CHARS for lines of one form, the rest is counted.

    Lines of one form have one template. A call names the peer that causes the line by `extra={"peer": ip}`; lines
    without a peer share their bound, and so do peers beyond LOG_FOLD_FORMS. The counts are written before the first
    line behind the span, and by `flush`. A line over LOG_LINE_CHARS_MAX is cut.
    """

    def __init__(self, handler: logging.Handler, clock: Callable[[], float] = time.monotonic) -> None:
        """*clock*: seconds, never going back."""
        super().__init__()
        self._handler = handler
        self._clock = clock
        self._forms: dict[tuple[str, str], Form] = {}
        self._ends = clock() + limits.LOG_FOLD_SECONDS

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write a line."""
        # Threads log too. The lock is one that its owner may take again.
        self._handler.acquire()
        try:
            if self._clock() >= self._ends:
                self.flush()
            form = self._form_of(record)
            if form.chars >= limits.LOG_FOLD_CHARS:
                form.folded += 1
                form.newest = record
                return False
            line = _line(record)
            # Formatted once: the handler finds the line.
            record.msg, record.args = line, ()
            form.chars += len(line) + (limits.LOG_TRACE_CHARS if record.exc_info else 0)
            return True
        finally:
            self._handler.release()

    def flush(self) -> None:
        """Write how many lines of each form were folded, and begin a new span."""
        self._handler.acquire()
        try:
            forms, self._forms = self._forms, {}
            self._ends = self._clock() + limits.LOG_FOLD_SECONDS
            for (_, who), form in forms.items():
                if form.newest is not None:
                    self._handler.emit(_count(who, form.folded, form.newest))
        finally:
            self._handler.release()

    def _form_of(self, record: logging.LogRecord) -> Form:
        key = (str(record.msg), network_of(getattr(record, "peer", "")))
        if len(self._forms) >= limits.LOG_FOLD_FORMS and key not in self._forms:
            key = ("", OTHERS)
        form = self._forms.get(key)
        if form is None:
            form = self._forms[key] = Form()
        return form


def _line(record: logging.LogRecord) -> str:
    line = record.getMessage()
    return f"{line[: limits.LOG_LINE_CHARS_MAX]}..." if len(line) > limits.LOG_LINE_CHARS_MAX else line


def _count(who: str, folded: int, newest: logging.LogRecord) -> logging.LogRecord:
    by = f" from {who}" if who else ""
    return logging.LogRecord(
        "fastflv",
        newest.levelno,
        __file__,
        0,
        "%d more lines%s like this one: %s",
        (folded, by, _line(newest)),
        None,
    )
