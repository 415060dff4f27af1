"""Runs the route table of a vhost: the first route that matches a request, and takes it, answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from fastflv.config.routes import Route, RouteKind
from fastflv.net.networkset import NetworkSet
from fastflv.protocols.http.crossdomain import CrossDomain
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Request, Response
from fastflv.stream.name import StreamName, fault_of

PLAY_METHODS = ("GET", "HEAD")
PUBLISH_METHODS = ("POST", "PUT")
API_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")


class Site(NamedTuple):
    """What a host name stands for."""

    vhost: str
    "Name of the vhost; empty for a host that none serves."

    routes: tuple[Route, ...]
    "The table that `-t` checked, in the order asked."


Handle = Callable[[Exchange, Route, StreamName], bool | None]
"Answers at once or later. False: the route does not have the resource, and the next ones are asked."


class Router:
    """Answers the requests of a port.

    A request that no route takes is answered with 404; one that a route matches, but for another method,
    with 405; one whose names RTMP would refuse too, with 400.
    """

    def __init__(
        self,
        site_of: Callable[[str], Site],
        handlers: Mapping[RouteKind, Handle],
        *,
        cross_domain: Callable[[RouteKind], CrossDomain],
        trusted: Callable[[], NetworkSet],
    ) -> None:
        """*site_of* returns the present table for a host name; *cross_domain* what other sites may do with a kind of route."""
        self._site_of = site_of
        self._handlers = handlers
        self._cross_domain = cross_domain
        self._trusted = trusted

    def cross_domain(self, request: Request) -> CrossDomain:
        """Return what pages of other sites may do: the first route that matches the path says so, else mounts."""
        routes = self._site(request).routes
        kinds = (route.kind for route in routes if route.match(request.path) is not None)
        return self._cross_domain(next(kinds, RouteKind.MOUNT))

    @property
    def trusted(self) -> NetworkSet:
        """Proxies whose X-Forwarded-For and the like are believed."""
        return self._trusted()

    def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        site = self._site(request)
        allowed: dict[str, None] = {}
        for route in site.routes:
            names = route.match(request.path)
            if names is None:
                continue
            if request.method not in methods_of(route):
                allowed |= dict.fromkeys(methods_of(route))
                continue
            name = StreamName(site.vhost, names.get("app", ""), names.get("stream", ""))
            fault = fault_of(name.app) or fault_of(name.stream)
            if fault:
                exchange.respond(Response.of_text(400, f"a name {fault}"))
                return
            if self._handlers[route.kind](exchange, route, name) is not False:
                return
        if allowed:
            exchange.respond(Response.of_text(405, Allow=", ".join((*allowed, "OPTIONS"))))
        else:
            exchange.respond(Response.of_text(404))

    def _site(self, request: Request) -> Site:
        args = request.args
        return self._site_of(args.get("vhost") or args.get("domain") or request.host)


def methods_of(route: Route) -> tuple[str, ...]:
    """Return the methods of a route: publishing takes an FLV mount."""
    if route.kind is RouteKind.API:
        return API_METHODS
    if route.mount is not None and route.mount.container == "flv":
        return PLAY_METHODS + PUBLISH_METHODS
    return PLAY_METHODS
