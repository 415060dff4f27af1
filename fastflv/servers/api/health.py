"""Probes of load balancers and supervisors: whether the process lives, and whether it should get new clients."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fastflv.protocols.http.message import Response
from fastflv.servers.api.operation import Call, Operation
from fastflv.servers.api.schema import TEXT


class Health:
    """The operations of probes. Nobody is asked for a password: the answers tell nothing about streams."""

    def __init__(self, unready: Callable[[], str]) -> None:
        """*unready* returns why new clients should go elsewhere; empty while they are welcome."""
        self._unready = unready

    def operations(self) -> Iterable[Operation]:
        return (
            Operation(
                "GET",
                "/healthz",
                "whether the process lives",
                lambda call: _answer(200, "ok"),
                TEXT,
                content="text/plain",
                guarded=False,
            ),
            Operation(
                "GET",
                "/readyz",
                "whether new clients are welcome",
                self._ready,
                TEXT,
                content="text/plain",
                statuses={503: "they should go elsewhere; the text says why"},
                guarded=False,
            ),
        )

    def _ready(self, call: Call) -> Response:
        why = self._unready()
        return _answer(503, why) if why else _answer(200, "ready")


def _answer(status: int, text: str) -> Response:
    return Response.of_text(status, text, Cache_Control="no-store")
