"""Ctrl-C and SIGTERM end a command between two pieces of its work, so that the files it writes are whole."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupt:
    """Asked once it waits for the end of a piece of work; asked again, or while a peer is waited for, it raises at once."""

    def __init__(self) -> None:
        self.asked = False
        "The command is to end."
        self._waits = False

    def install(self) -> None:
        """Take SIGINT and SIGTERM from now on."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A peer is waited for: raises KeyboardInterrupt when the command is to end."""
        self._waits = True
        try:
            if self.asked:
                raise KeyboardInterrupt
            yield
        finally:
            self._waits = False

    def _take(self, number: int, frame: object) -> None:
        again, self.asked = self.asked, True
        if self._waits or again:
            raise KeyboardInterrupt
