"""How many connections there are, of all listeners together, and how many there may be."""

from __future__ import annotations

from typing import Any, Protocol


class Transport(Protocol):
    """As much of an asyncio transport as is asked here."""

    def get_extra_info(self, name: str, default: Any = None) -> Any: ...


def address_of(transport: Transport) -> str:
    """Return the peer's IP address, "" when it is gone."""
    peer = transport.get_extra_info("peername")
    return ip_of(peer) if isinstance(peer, tuple) else ""


def ip_of(peer: tuple[object, ...]) -> str:
    """Return the IP address of a socket address; an IPv4 peer of a dual-stack listener by its IPv4 address."""
    return str(peer[0]).removeprefix("::ffff:")


class Seats(Protocol):
    """What a connection needs of a connection_limit."""

    @property
    def limit(self) -> int: ...

    def enter(self) -> bool: ...

    def leave(self) -> None: ...


class Seated:
    """The connection_limit for a connection that was given its seat before, as a TLS handshake is."""

    __slots__ = ("_connection_limit",)

    def __init__(self, connection_limit: ConnectionLimit) -> None:
        self._connection_limit = connection_limit

    @property
    def limit(self) -> int:
        return self._connection_limit.limit

    def enter(self) -> bool:
        return True

    def leave(self) -> None:
        """Give the seat back."""
        self._connection_limit.leave()


class ConnectionLimit:
    """Seats for connections: RTMP, HTTP, API, and players that a sender thread has taken over."""

    __slots__ = ("limit", "refused", "taken", "total")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        "max_connections; may be changed at any time."
        self.taken = 0
        self.total = 0
        "Connections since the start."
        self.refused = 0
        "Connections closed at once because all seats were taken."

    def enter(self) -> bool:
        """Take a seat; False when there is none: close the connection, and do not call `leave`."""
        if self.taken >= self.limit:
            self.refused += 1
            return False
        self.taken += 1
        self.total += 1
        return True

    def leave(self) -> None:
        """Give a seat back."""
        self.taken -= 1
