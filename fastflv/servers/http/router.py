"""Runs the route table of a vhost: the first route that matches a request, and takes it, answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from fastflv import limits
from fastflv.config.routes import Route, RouteKind
from fastflv.net.networkset import NetworkSet
from fastflv.protocols.http.crossdomain import CrossDomain
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.heads import METHODS
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.files.opening import Folders
from fastflv.servers.http.live import RESUMES
from fastflv.servers.http.refusal import refuse_play
from fastflv.stream.name import StreamName, fault_of

PLAY_METHODS = ("GET", "HEAD")
PUBLISH_METHODS = ("POST", "PUT")
API_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")


class Match(NamedTuple):
    """A route that a path may be for."""

    route: Route
    name: StreamName
    fault: str
    "Why RTMP would refuse the name too; empty for a good one."
    methods: tuple[str, ...]
    folders: Folders
    "Directories that may have a file for the path, whichever route takes it."


class Site:
    """What a host name stands for. It never changes; a reload makes another."""

    __slots__ = ("_known", "routes", "signed", "vhost")

    def __init__(self, vhost: str, routes: tuple[Route, ...], signed: str = "") -> None:
        self.vhost = vhost
        "Name of the vhost; empty for a host that none serves."
        self.routes = routes
        "The table that `-t` checked, in the order asked."
        self.signed = signed
        "Form of the signatures that stand in paths (`unsign`); empty without."
        self._known: dict[str, tuple[Match, ...]] = {}
        "Matches of the paths asked last: a playlist is asked for by all of its viewers, every few seconds."

    def matches(self, path: str) -> tuple[Match, ...]:
        """Return what *path* may be for, in the order asked."""
        found = self._known.get(path)
        if found is None:
            found = tuple(self._match(path))
            if len(path) <= limits.HTTP_KNOWN_PATH_CHARS_MAX:
                if len(self._known) >= limits.HTTP_KNOWN_PATHS_MAX:
                    self._known.clear()
                self._known[path] = found
        return found

    def _match(self, path: str) -> Iterator[Match]:
        found = [(route, names) for route in self.routes if (names := route.match(path)) is not None]
        files = [route for route, _ in found if route.kind is RouteKind.FILES]
        folders = tuple((route.folder, path.removeprefix(route.prefix)) for route in files)
        for route, names in found:
            name = StreamName(self.vhost, names.get("app", ""), names.get("stream", ""))
            fault = fault_of(name.app) or fault_of(name.stream)
            yield Match(route, name, fault, methods_of(route), folders)
            if files and route is files[0]:
                # One look goes through all directories.
                return


Handle = Callable[[Exchange, Match], bool | None]
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
        self.edge_came: Callable[[], None] = lambda: None
        "Called when an edge announces itself."

    def cross_domain(self, request: Request) -> CrossDomain:
        """Return what pages of other sites may do: the first route that matches the path says so, else mounts.

        Each OPTIONS request comes here, preflights and announcements of edges too.
        """
        if RESUMES.lower() in request.headers:
            self.edge_came()
        found = self._find(request)
        return self._cross_domain(found[0].route.kind if found else RouteKind.MOUNT)

    @property
    def trusted(self) -> NetworkSet:
        """Proxies whose X-Forwarded-For and the like are believed."""
        return self._trusted()

    def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        allowed: dict[str, None] = {}
        for match in self._find(request):
            if allowed and match.route.kind is RouteKind.FILES:
                break
            if request.method not in match.methods:
                allowed |= dict.fromkeys(match.methods)
                continue
            if match.fault:
                refuse_play(exchange, _shown(request), Response.of_text(400, f"a name {match.fault}"))
                return
            if self._handlers[match.route.kind](exchange, match) is not False:
                return
        if allowed:
            exchange.respond(Response.of_text(405, Allow=", ".join((*allowed, "OPTIONS"))))
        else:
            refuse_path(exchange)

    def _find(self, request: Request) -> tuple[Match, ...]:
        """Return what the path may be for; a signature in it becomes parameters, as all other signatures are."""
        site = self._site_of(request.vhost)
        if site.signed:
            # The rule of the vhost has loaded it.
            from fastflv.access.signedurl import unsign

            unsigned = unsign(site.signed, request.path)
            if unsigned is not None:
                request.move(*unsigned)
        return site.matches(request.path)


def refuse_path(exchange: Exchange) -> None:
    """Answer a request for what is neither a stream nor a file."""
    what = _shown(exchange.request)
    text = f"nothing is at {what}: no mount, playlist, segment or file has that path"
    refuse_play(exchange, what, Response.of_text(404, text))


def _shown(request: Request) -> str:
    """The path, as long as a line or an answer may have it."""
    path = request.path
    return path if len(path) <= limits.NAME_CHARS_MAX else f"{path[: limits.NAME_CHARS_MAX]}..."


def methods_of(route: Route) -> tuple[str, ...]:
    """Return the methods of a route: publishing takes an FLV mount."""
    if route.kind in (RouteKind.API, RouteKind.RECORD):
        return API_METHODS
    if route.kind is RouteKind.FILES:
        # Whether a method is wrong shows when the file is there.
        return METHODS
    if route.mount is not None and route.mount.container == "flv":
        return PLAY_METHODS + PUBLISH_METHODS
    return PLAY_METHODS
