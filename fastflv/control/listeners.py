"""The listeners of a server: opened at start, compared and replaced by a reload."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from fastflv import limits
from fastflv.config.endpoint import Endpoint, uncovered
from fastflv.control.bindfault import bind_fault
from fastflv.net.activation import refuse_unused, take_socket
from fastflv.net.certificates import Certificates
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.listener import Acceptance, Listener, bind
from fastflv.net.negotiation import Connect
from fastflv.net.networkset import NetworkSet
from fastflv.net.opening import Opening
from fastflv.net.plainserver import watch_descriptors

log = logging.getLogger(__name__)

Pairs = tuple[tuple[str, str], ...]
"Paths of certificates and keys, the default pair first."


ALPN_HTTP1: Final = "http/1.1"


class Secured(NamedTuple):
    """What TLS handshakes need."""

    pairs: Pairs
    offered: tuple[str, ...]
    "Protocols by ALPN."


@dataclass(frozen=True, slots=True)
class Wanted:
    """The endpoints of one `listen` and what is spoken on them."""

    name: str
    "As `HTTP`, for log lines."

    endpoints: tuple[Endpoint, ...]
    connect: Connect
    pairs: Pairs | None = None
    "Certificates; None: plain."

    proxied: bool = False
    "`proxy_protocol on`."

    kept: int = 0
    "Connections that are taken above `max_connections`."

    place: str = "in the configuration"
    "With what to choose another endpoint, for messages."

    offered: Mapping[str, Connect] = field(default_factory=dict)
    "What TLS handshakes offer before `connect`, by its name in ALPN."

    @property
    def secured(self) -> Secured:
        """What its handshakes need."""
        assert self.pairs is not None
        return Secured(self.pairs, (*self.offered, ALPN_HTTP1) if self.offered else ())


class Place(NamedTuple):
    """What tells one listener from another: its endpoint, and for port 0 whose it is."""

    endpoint: Endpoint
    owner: str


@dataclass(slots=True)
class Plan:
    """A prepared change: everything that can fail was done, and nothing shows yet."""

    acceptances: dict[Place, tuple[str, Acceptance]]
    certificates: dict[Secured, Certificates]
    shared: bool = False
    "Other processes may listen on the same ports."

    sockets: dict[Place, socket.socket] = field(default_factory=dict)
    "Bound for new places."


class Listeners:
    """All listeners of a server by place."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: ConnectionLimit, opening: Opening) -> None:
        self._loop = loop
        self._opening = opening
        self._limit = limit
        self._listeners: dict[Place, Listener] = {}
        self._sockets: dict[Place, socket.socket] = {}
        "Those of the listeners, which own them."
        self._certificates: dict[Secured, Certificates] = {}
        self._watches: list[asyncio.Task[None]] = []

    def __iter__(self) -> Iterator[Listener]:
        return iter(self._listeners.values())

    def __len__(self) -> int:
        return len(self._listeners)

    @staticmethod
    def plain(plan: Plan) -> dict[int, Connect]:
        """What is spoken without TLS, by the port."""
        return {
            plan.sockets[place].getsockname()[1]: acceptance.connect
            for place, (_, acceptance) in plan.acceptances.items()
            if acceptance.context is None and place in plan.sockets
        }

    @property
    def sockets(self) -> Mapping[Place, socket.socket]:
        """The listening sockets, which stay those of the listeners."""
        return dict(self._sockets)

    def ports(self, name: str) -> list[int]:
        """The ports in use for *name*, as `HTTP`, in the order of the configuration."""
        return [listener.port for listener in self._listeners.values() if listener.name == name]

    def plan(
        self,
        wanted: Iterable[Wanted],
        *,
        trusted: NetworkSet,
        empty_ip_ok: bool,
        inherited: Sequence[socket.socket] = (),
        handed: Mapping[Place, socket.socket] = MappingProxyType({}),
        shared: bool = False,
    ) -> Plan:
        """Bind what is new and read its certificates. Raises StartupError; then nothing is left open.

        *inherited*: listening sockets that a supervisor or an embedding program opened; each must be named by
        a `listen`. *handed*: those of another process, by their places; which of them are not wanted any more are closed.
        *shared*: other processes may listen there too.
        """
        plan = Plan({}, {}, shared=shared)
        given = list(inherited)
        taken: list[tuple[Place, str, OSError]] = []
        try:
            for each in wanted:
                context = None
                if each.pairs is not None:
                    secured = each.secured
                    certificates = (
                        plan.certificates.get(secured)
                        or self._certificates.get(secured)
                        or Certificates(*secured)
                    )
                    plan.certificates[secured] = certificates
                    context = certificates.context
                acceptance = Acceptance(
                    each.connect, context, each.proxied, trusted, empty_ip_ok, each.kept, each.offered
                )
                for endpoint in uncovered(each.endpoints):
                    place = Place(endpoint, "" if endpoint.port else each.name)
                    plan.acceptances[place] = (each.name, acceptance)
                    if place not in self._listeners:
                        try:
                            plan.sockets[place] = (
                                handed.get(place)
                                or take_socket(given, endpoint)
                                or bind(endpoint, shared=shared)
                            )
                        except OSError as error:
                            taken.append((place, each.place, error))
            for place, change, why in taken:
                plan.sockets[place] = self._bind_beside(plan, place, change, why)
            refuse_unused(given)
            for place, sock in handed.items():
                if place not in plan.sockets:
                    sock.close()
        except BaseException:
            for sock in plan.sockets.values():
                sock.close()
            raise
        return plan

    def commit(self, plan: Plan) -> None:
        """Make *plan* the present state. Connections of closed listeners stay."""
        closing = [place for place in self._listeners if place not in plan.acceptances]
        closed = {place: self._listeners.pop(place) for place in closing}
        for place, listener in closed.items():
            listener.close()
            log.info("%s on %s is closed", listener.name, place.endpoint)
        kept = self._listeners
        self._listeners = {}
        self._sockets = {place: plan.sockets.get(place) or self._sockets[place] for place in plan.acceptances}
        for place, (name, acceptance) in plan.acceptances.items():
            listener = kept.get(place) or Listener(
                self._loop, self._sockets[place], self._limit, name, acceptance, self._opening
            )
            if place not in kept:
                at = place.endpoint if place.endpoint.port else Endpoint(place.endpoint.host, listener.port)
                log.info("%s on %s", name, at)
            listener.name, listener.acceptance = name, acceptance
            self._listeners[place] = listener
        self._certificates = plan.certificates
        if not self._watches:
            self._watches = [
                self._loop.create_task(each) for each in (self._check_certificates(), watch_descriptors())
            ]

    def close(self) -> None:
        """Accept no more; all connections stay."""
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()
        self._sockets.clear()
        for watch in self._watches:
            watch.cancel()
        self._watches.clear()

    def _bind_beside(self, plan: Plan, place: Place, change: str, error: OSError) -> socket.socket:
        """Bind a place that could not be bound for *error*: it may overlap listeners that are to close.

        *change*: with what to choose another one. Raises StartupError.
        """
        beside = [known for known in self._listeners if place.endpoint.overlaps(known.endpoint)]
        if beside and not any(known in plan.acceptances for known in beside):
            try:
                with _not_listening([self._sockets[known] for known in beside]):
                    return bind(place.endpoint, shared=plan.shared)
            except OSError as again:
                error = again
        name, _ = plan.acceptances[place]
        raise bind_fault(name, place.endpoint, error, change) from error

    async def _check_certificates(self) -> None:
        while True:
            await asyncio.sleep(limits.CERTIFICATE_CHECK_SECONDS)
            for certificates in list(self._certificates.values()):
                await self._loop.run_in_executor(None, certificates.check)


@contextmanager
def _not_listening(sockets: Sequence[socket.socket]) -> Iterator[None]:
    """Have *sockets* not listen meanwhile: their addresses can be bound once more then, as all have SO_REUSEADDR.

    Connections that they have not accepted yet are reset, as they are when a listener closes.
    """
    for sock in sockets:
        sock.shutdown(socket.SHUT_RD)
    try:
        yield
    finally:
        for sock in sockets:
            sock.listen(limits.LISTEN_BACKLOG)
