"""The exporter's own port: `/metrics` and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from fastflv.net.networkset import NetworkSet
from fastflv.protocols.http import crossdomain
from fastflv.protocols.http.crossdomain import CrossDomain
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.metrics.server import MetricsServer


class Exporter:
    """Answers the requests of the port. No page of another site may read it, and nobody is asked for a password."""

    def __init__(self, metrics: MetricsServer, trusted: Callable[[], NetworkSet]) -> None:
        self._metrics = metrics
        self._trusted = trusted

    def cross_domain(self, request: Request) -> CrossDomain:
        return crossdomain.NONE

    @property
    def trusted(self) -> NetworkSet:
        """Proxies whose X-Forwarded-For and the like are believed."""
        return self._trusted()

    def __call__(self, exchange: Exchange) -> None:
        if exchange.request.path.rstrip("/") == "/metrics":
            self._metrics.handle(exchange)
        else:
            exchange.respond(Response.of_text(404, "the metrics are at /metrics"))
