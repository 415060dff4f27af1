"""Simultaneous uses of tokens that have a `max`."""

from __future__ import annotations

from collections.abc import Callable

from fastflv import limits
from fastflv.access.tokens.grant import Grant


class Uses:
    """Clients by the token that admitted them. A request that came to nothing is forgotten with the next count."""

    def __init__(self, is_here: Callable[[str], bool]) -> None:
        """*is_here*: whether a client of that id plays, publishes, or waits for it."""
        self._is_here = is_here
        self._clients: dict[str, set[str]] = {}
        self._tokens: dict[str, str] = {}
        self._sweep_at = limits.TOKEN_USES_SWEEP

    def __len__(self) -> int:
        """Tokens in use."""
        return len(self._clients)

    def take(self, grant: Grant, client: str) -> bool:
        """Count a use of *grant* by *client*, once; False where `max` are taken by others."""
        if not grant.max:
            return True
        clients = self._clients.get(grant.id, set())
        for other in [other for other in clients if other != client and not self._is_here(other)]:
            self.release(other)
        # What was released may have been the last use.
        clients = self._clients.setdefault(grant.id, set())
        if client not in clients and len(clients) >= grant.max:
            return False
        clients.add(client)
        self._tokens[client] = grant.id
        if len(self._tokens) > self._sweep_at:
            self._sweep(client)
        return True

    def release(self, client: str) -> None:
        """*client* is gone; no harm where it was never counted."""
        token = self._tokens.pop(client, None)
        if token is None:
            return
        clients = self._clients[token]
        clients.discard(client)
        if not clients:
            del self._clients[token]

    def _sweep(self, newest: str) -> None:
        """Forget requests that came to nothing; *newest* is being admitted. Its price is that of a few admissions each."""
        for client in list(self._tokens):
            if client != newest and not self._is_here(client):
                self.release(client)
        self._sweep_at = max(2 * len(self._tokens), limits.TOKEN_USES_SWEEP)
