"""The number of connections of all listeners together, and its bound."""

from __future__ import annotations


class ConnectionLimit:
    """Counts connections: RTMP, HTTP, API, TLS handshakes, and players that a sender thread has taken over.

    A listener takes one place per accepted socket; the connection gives it back once, when it ends. Places above
    the limit are kept for listeners that must answer when all others are taken.
    """

    __slots__ = ("limit", "refused", "taken", "total")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        "max_connections; may be changed at any time. Connections above a new limit stay."
        self.taken = 0
        self.total = 0
        "Connections since the start."
        self.refused = 0
        "Connections closed at once because the limit was reached."

    def take(self, kept: int = 0) -> bool:
        """Count one connection; False above the limit and *kept* places more: close it, and do not call `release`."""
        if self.taken >= self.limit + kept:
            self.refused += 1
            return False
        self.taken += 1
        self.total += 1
        return True

    def release(self) -> None:
        """Count one connection less."""
        self.taken -= 1
