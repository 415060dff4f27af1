"""Which worker publishes which stream: the directory of the parent, by which a name has one publisher in all workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Name(NamedTuple):
    """A stream, as the channel has it."""

    vhost: str
    app: str
    stream: str


class WorkerNames:
    """Claims of names by clients of workers. Several clients of one worker may claim one name: it decides about them."""

    def __init__(self) -> None:
        self._claims: dict[Name, tuple[int, set[str]]] = {}
        "The worker of each name, and its clients that publish it or are about to."

    def __iter__(self) -> Iterator[tuple[Name, int]]:
        return ((name, worker) for name, (worker, _) in self._claims.items())

    def owner(self, name: Name) -> int:
        """Return the worker that has *name*; 0: none."""
        found = self._claims.get(name)
        return found[0] if found is not None else 0

    def claim(self, name: Name, worker: int, client: str, *, takeover: bool = False) -> int:
        """Give *name* to a client of *worker*; return the worker that has it then. *takeover*: whoever had it."""
        owner, clients = self._claims.get(name, (worker, set[str]()))
        if owner != worker:
            if not takeover:
                return owner
            clients = set()
        clients.add(client)
        self._claims[name] = worker, clients
        return worker

    def release(self, name: Name, worker: int, client: str) -> bool:
        """*client* of *worker* publishes *name* no more; return whether nobody does."""
        owner, clients = self._claims.get(name, (0, set[str]()))
        if owner != worker:
            return False
        clients.discard(client)
        if clients:
            return False
        del self._claims[name]
        return True

    def drop(self, worker: int) -> list[Name]:
        """A worker is gone: forget its names, and return them."""
        gone = [name for name, owner in self if owner == worker]
        for name in gone:
            del self._claims[name]
        return gone
