"""Players on plain sockets, read by one thread."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from typing import Generic, Protocol, Self, TypeVar


class Watcher(Protocol):
    """One player. Nothing of it blocks."""

    sock: socket.socket
    over: str
    "Why it plays no more; empty while it does."

    def read(self) -> None:
        """Read what has come."""

    def tick(self, now: float) -> None:
        """Do what is due by the clock; called each 50 ms or so. *now*: monotonic, seconds."""


W = TypeVar("W", bound=Watcher)


class Watchers(threading.Thread, Generic[W]):
    """Reads its viewers to their ends. Use as a context manager."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.viewers: list[W] = []
        self._selector = selectors.DefaultSelector()
        self._enough = threading.Event()
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()
        self._selector.close()
        for each in self.viewers:
            each.sock.close()

    def stop(self) -> None:
        """Read no more: what viewers have seen stays as it is."""
        self._enough.set()
        self.join(10)

    def add(self, fresh: W) -> W:
        self.viewers.append(fresh)
        self._selector.register(fresh.sock, selectors.EVENT_READ, fresh)
        return fresh

    def run(self) -> None:
        ticked = 0.0
        while not self._enough.is_set():
            for key, _ in self._selector.select(0.05):
                each = key.data
                each.read()
                if each.over:
                    self._selector.unregister(each.sock)
                    each.sock.close()
            now = time.monotonic()
            if now - ticked > 0.05:
                ticked = now
                for each in list(self.viewers):
                    each.tick(now)
