"""Folding of the log: lines of one form that one peer causes are counted beyond a bound, and shown as one line."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastflv import limits
from fastflv.net.ip import network_of

OTHERS: Final = "other addresses"
"In place of an address, where too many of them write."


Line = tuple[int, object, Any]
"Level, template and arguments of a line that was not written; it is formatted when its count is."


@dataclass(slots=True)
class Form:
    """Lines of one form and peer within the present span."""

    chars: int = 0
    "Characters of the lines that were written."

    folded: int = 0
    "Lines that were not."

    newest: Line | None = None
    "The newest of them."


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
        assert handler.lock is not None
        self._lock = handler.lock
        "Threads log too. Its owner may take it again."
        self._clock = clock
        self._forms: dict[tuple[str, str], Form] = {}
        self._full: dict[tuple[object, object], Form] = {}
        "Forms that are at their bound, by the template and the address of lines that were not written."
        self._ends = clock() + limits.LOG_FOLD_SECONDS

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write a line."""
        with self._lock:
            form = self._form_of(record.msg, getattr(record, "peer", ""))
            if form.chars >= limits.LOG_FOLD_CHARS:
                form.folded += 1
                form.newest = (record.levelno, record.msg, record.args)
                if isinstance(record.msg, str) and len(self._full) < limits.LOG_FOLD_FORMS:
                    self._full[record.msg, getattr(record, "peer", None)] = form
                return False
            line = _line(record.getMessage())
            # Formatted once: the handler finds the line.
            record.msg, record.args = line, ()
            form.chars += len(line) + (limits.LOG_TRACE_CHARS if record.exc_info else 0)
            return True

    def count(self, level: int, template: object, args: Any, extra: Mapping[str, object] | None) -> bool:
        """Count a line like one that `filter` has not written in this span; False: make the record.

        *args* and *extra*: as a call of a logger has them.
        """
        if not self._full or not isinstance(template, str):
            return False
        with self._lock:
            form = self._full.get((template, extra.get("peer") if extra is not None else None))
            if form is None or self._clock() >= self._ends:
                return False
            form.folded += 1
            form.newest = (level, template, args)
            return True

    def flush(self) -> None:
        """Write how many lines of each form were folded, and begin a new span."""
        with self._lock:
            forms, self._forms, self._full = self._forms, {}, {}
            self._ends = self._clock() + limits.LOG_FOLD_SECONDS
            for (_, who), form in forms.items():
                if form.newest is not None:
                    self._handler.emit(_count(who, form.folded, form.newest))

    def _form_of(self, template: object, peer: str) -> Form:
        """Return the form of a line, in the present span. The lock is held."""
        if self._clock() >= self._ends:
            self.flush()
        key = (str(template), network_of(peer))
        form = self._forms.get(key)
        if form is None:
            if len(self._forms) >= limits.LOG_FOLD_FORMS:
                key = ("", OTHERS)
            form = self._forms.setdefault(key, Form())
        return form


def _line(line: str) -> str:
    return f"{line[: limits.LOG_LINE_CHARS_MAX]}..." if len(line) > limits.LOG_LINE_CHARS_MAX else line


def _count(who: str, folded: int, newest: Line) -> logging.LogRecord:
    by = f" from {who}" if who else ""
    level, template, args = newest
    line = logging.LogRecord("fastflv", level, __file__, 0, template, args, None).getMessage()
    return logging.LogRecord(
        "fastflv", level, __file__, 0, "%d more lines%s like this one: %s", (folded, by, _line(line)), None
    )
