"""The number of connections of all listeners together, and its bound."""

from __future__ import annotations

from fastflv.net.ip import network_of
from fastflv.net.openconnections import OpenConnections


class ConnectionLimit:
    """Counts connections: RTMP, HTTP, API, TLS handshakes, and players that a sender thread has taken over.

    A listener takes one place per accepted socket; the connection gives it back once, when it ends. Places above
    the limit are kept for listeners that must answer when all others are taken.
    """

    __slots__ = ("_taken_by", "crowded", "each", "leaving", "limit", "open", "refused", "taken", "total")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        "max_connections; may be changed at any time. Connections above a new limit stay."
        self.each = 0
        "Likewise of one address, or of a /64 of IPv6; 0: no bound."
        self.leaving = False
        "No more are accepted: HTTP connections end with their next answer, so that clients ask elsewhere."
        self.taken = 0
        self.total = 0
        "Connections since the start."
        self.refused = 0
        "Connections closed at once because the limit was reached."
        self.crowded = 0
        "Likewise because their address had its share."
        self.open = OpenConnections()
        "Those of them that the event loop has."
        self._taken_by: dict[str, int] = {}

    def take(self, kept: int = 0, address: str = "") -> bool:
        """Count one connection; False above the limit and *kept* places more: close it, and do not call `release`.

        *address*: of the other end of the socket; empty for AF_UNIX.
        """
        if self.taken >= self.limit + kept:
            self.refused += 1
            return False
        self.taken += 1
        self.total += 1
        if address:
            network = network_of(address)
            self._taken_by[network] = self._taken_by.get(network, 0) + 1
        return True

    def is_crowded(self, address: str) -> bool:
        """Return whether *address* has as many connections as it may have."""
        return bool(self.each and address) and self._taken_by.get(network_of(address), 0) >= self.each

    def release(self, address: str = "") -> None:
        """Count one connection less, of *address* where it was taken with one."""
        self.taken -= 1
        if address:
            network = network_of(address)
            left = self._taken_by.get(network, 0) - 1
            if left > 0:
                self._taken_by[network] = left
            else:
                self._taken_by.pop(network, None)
