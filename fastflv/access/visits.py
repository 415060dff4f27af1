"""Visits: whom hooks, or the callbacks of a program, have admitted, so that each of them is told to have left just once."""

from __future__ import annotations

from fastflv.access.request import AccessRequest


class Connection:
    """An RTMP connection that was admitted."""

    __slots__ = ("clients", "closed", "received", "request", "sent")

    def __init__(self, request: AccessRequest) -> None:
        self.request = request
        "Its first one."
        self.clients: set[str] = set()
        "Ids of its clients that have not left."
        self.sent = 0
        "Bytes, of players that have left and of the connection once it is closed."
        self.received = 0
        self.closed = False


class Visits:
    """Admitted clients and connections until they leave. Each belongs to a client or connection that is there."""

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}
        self._clients: dict[str, AccessRequest] = {}

    def __len__(self) -> int:
        return len(self._connections) + len(self._clients)

    def is_connected(self, connection: str) -> bool:
        """Whether the connection with this id is admitted."""
        return connection in self._connections

    def connect(self, request: AccessRequest) -> None:
        """The connection of *request* is admitted."""
        self._connections.setdefault(request.peer.id, Connection(request))

    def admit(self, request: AccessRequest) -> None:
        """The client is admitted."""
        self._clients[request.client_id] = request
        connection = self._connections.get(request.peer.id)
        if connection is not None:
            connection.clients.add(request.client_id)

    def leave(self, client_id: str, sent: int) -> AccessRequest | None:
        """Forget a client, which was sent *sent* bytes of media; return its request, None where none was admitted."""
        request = self._clients.pop(client_id, None)
        connection = self._connections.get(request.peer.id) if request is not None else None
        if connection is not None:
            connection.clients.discard(client_id)
            connection.sent += sent
        return request

    def close(self, connection: str, sent: int, received: int) -> None:
        """The connection is closed, with so many bytes besides the media of players."""
        found = self._connections.get(connection)
        if found is not None:
            found.closed = True
            found.sent += sent
            found.received += received

    def take_closed(self, connection: str) -> Connection | None:
        """Forget and return a connection that is closed, once its clients have left: threads give players back later."""
        found = self._connections.get(connection)
        if found is None or not found.closed or found.clients:
            return None
        return self._connections.pop(connection)
