"""Departures: each client and connection that was admitted is reported once when it leaves, whatever it came to."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from fastflv.access.request import AccessRequest
from fastflv.access.visits import Connection, Visits
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason


class Departure(NamedTuple):
    """A client that has left."""

    request: AccessRequest
    reason: str
    "One clause, as log lines have it."

    stream_id: str = ""
    "Of the stream that it published or played; empty where it never did."

    sent: int = 0
    "Bytes sent to it."

    received: int = 0
    "Bytes received from it."


class DepartureWatcher(Protocol):
    """Is called when an admitted client or connection has left."""

    def client_departed(self, departure: Departure) -> None: ...

    def connection_departed(self, connection: Connection) -> None:
        """An RTMP connection is closed, and all its clients have left."""


class Departures:
    """Watches clients, arrivals and RTMP connections for one who admits clients: the hooks, or a program's callbacks."""

    def __init__(self, visits: Visits, watcher: DepartureWatcher) -> None:
        """*visits*: whom they have admitted."""
        self._visits = visits
        self._watcher = watcher

    # --- watchers of clients ---

    def client_left(self, client: Client, reason: EndReason) -> None:
        if not self._visits:
            # Nobody was asked about anyone.
            return
        request = self._visits.leave(client.id, 0 if client.publish else client.sent)
        if request is not None:
            self._depart(Departure(request, reason.value, client.stream.id, client.sent, client.received))

    # --- watchers of arrivals and of RTMP connections ---

    def arrival_over(self, client_id: str, reason: str) -> None:
        """A client that was admitted does not play or publish: it has left all the same."""
        request = self._visits.leave(client_id, 0)
        if request is not None:
            self._depart(Departure(request, reason))

    def connection_closed(self, connection: str, sent: int, received: int) -> None:
        """*sent*: bytes besides media that players were sent."""
        self._visits.close(connection, sent, received)
        self._close(connection)

    def _depart(self, departure: Departure) -> None:
        self._watcher.client_departed(departure)
        self._close(departure.request.peer.id)

    def _close(self, connection: str) -> None:
        closed = self._visits.take_closed(connection)
        if closed is not None:
            self._watcher.connection_departed(closed)
