"""The route table of a port: the first route that matches a request handles it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Request, Response

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Route(Generic[Found]):
    """One kind of resource."""

    name: str
    methods: tuple[str, ...]
    "Methods that the resource takes."

    match: Callable[[Request], Found | None]
    "What a request asks for; None when it is not for this route. Looks at host, path and query, not at the method."

    handle: Callable[[Exchange, Found], bool | None]
    "Answer, at once or later. False: there is no such resource, and the next routes are asked."


class Router:
    """Runs a table of routes, first to last.

    A request that no route matches is answered with 404; one that some match, but for another method, with 405.
    """

    def __init__(self, routes: Sequence[Route[Any]], *, cross_domain: bool) -> None:
        self.routes = tuple(routes)
        self.cross_domain = cross_domain

    def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        allowed: dict[str, None] = {}
        for route in self.routes:
            found = route.match(request)
            if found is None:
                continue
            if request.method not in route.methods:
                allowed |= dict.fromkeys(route.methods)
            elif route.handle(exchange, found) is not False:
                return
        if allowed:
            exchange.respond(Response.of_text(405, Allow=", ".join((*allowed, "OPTIONS"))))
        else:
            exchange.respond(Response.of_text(404))
