"""Loggers of lines that peers cause: one that is counted only costs no record.

A record costs 15 us with its way through the handlers, and a crowd that joins has two lines a player.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol


class Count(Protocol):
    """What folds the lines of a process."""

    def __call__(self, level: int, template: object, args: Any, extra: Mapping[str, object] | None) -> bool:
        """Count a line that is not to be written; False: it is to be written, and nothing is counted."""


class PeerLogger(logging.Logger):
    """A logger that asks `count` about each line before it makes a record of it."""

    count: ClassVar[Count | None] = None
    "None: every line becomes a record."

    def _log(
        self,
        level: int,
        msg: object,
        args: Any,
        exc_info: Any = None,
        extra: Mapping[str, object] | None = None,
        stack_info: bool = False,
        stacklevel: int = 1,
    ) -> None:
        count = PeerLogger.count
        if count is None or exc_info is not None or not count(level, msg, args, extra):
            super()._log(level, msg, args, exc_info, extra, stack_info, stacklevel + 1)


def peer_logger(name: str) -> logging.Logger:
    """Return the logger *name*, which is not one of another kind yet."""
    usual = logging.getLoggerClass()
    logging.setLoggerClass(PeerLogger)
    try:
        return logging.getLogger(name)
    finally:
        logging.setLoggerClass(usual)
