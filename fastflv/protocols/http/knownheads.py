"""Request heads that were read before: a crowd that joins asks the same, and a look here costs a tenth of reading it."""

from __future__ import annotations

from typing import Final

from fastflv import limits
from fastflv.protocols.http.message import Request


class KnownHeads:
    """Requests without a body by their bytes: HTTP_KNOWN_HEADS_MAX of the newest inputs that held one and nothing else."""

    def __init__(self) -> None:
        self._known: dict[bytes, Request] = {}

    def __len__(self) -> int:
        return len(self._known)

    def find(self, data: bytes) -> Request | None:
        """Return what *data* was on another connection (`Request.asked_by`)."""
        return self._known.get(data)

    def add(self, data: bytes, request: Request) -> None:
        """Remember that *data* is *request* and nothing else, where it is short enough and no more than a head.

        llhttp ends the message at a head that asks for an upgrade, so what follows is not read as behind another.
        """
        whole = request.length == 0 and data.endswith(b"\r\n\r\n") and "upgrade" not in request.headers
        if not whole or len(data) > limits.HTTP_KNOWN_HEAD_BYTES_MAX:
            return
        if len(self._known) >= limits.HTTP_KNOWN_HEADS_MAX:
            self._known.clear()
        # A copy: who handles the request may change it.
        self._known[data] = request.asked_by(request.peer)


KNOWN: Final = KnownHeads()
"Those of all connections."
