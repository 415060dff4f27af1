"""The listeners of a server: opened at start, compared and replaced by a reload."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fastflv import limits
from fastflv.config.endpoint import Endpoint, uncovered
from fastflv.errors import StartupError
from fastflv.net.activation import refuse_unused, take_socket
from fastflv.net.certificates import Certificates
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.listener import Acceptance, Connect, Listener, bind
from fastflv.net.networkset import NetworkSet
from fastflv.net.plainserver import watch_descriptors

log = logging.getLogger(__name__)

Pairs = tuple[tuple[str, str], ...]
"Paths of certificates and keys, the default pair first."


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


class Place(NamedTuple):
    """What tells one listener from another: its endpoint, and for port 0 whose it is."""

    endpoint: Endpoint
    owner: str


@dataclass(slots=True)
class Plan:
    """A prepared change: everything that can fail was done, and nothing shows yet."""

    acceptances: dict[Place, tuple[str, Acceptance]]
    certificates: dict[Pairs, Certificates]
    sockets: dict[Place, socket.socket] = field(default_factory=dict)
    "Bound for new places."

    late: list[Place] = field(default_factory=list)
    "New places that overlap one which closes: bound after that."


class Listeners:
    """All listeners of a server by place."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: ConnectionLimit) -> None:
        self._loop = loop
        self._limit = limit
        self._listeners: dict[Place, Listener] = {}
        self._certificates: dict[Pairs, Certificates] = {}
        self._watches: list[asyncio.Task[None]] = []

    def __iter__(self) -> Iterator[Listener]:
        return iter(self._listeners.values())

    def __len__(self) -> int:
        return len(self._listeners)

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
    ) -> Plan:
        """Bind what is new and read its certificates. Raises StartupError; then nothing is left open.

        *inherited*: listening sockets that a supervisor or an embedding program opened; each must be named by
        a `listen`.
        """
        plan = Plan({}, {})
        given = list(inherited)
        try:
            for each in wanted:
                context = None
                if each.pairs is not None:
                    certificates = (
                        plan.certificates.get(each.pairs)
                        or self._certificates.get(each.pairs)
                        or Certificates(each.pairs)
                    )
                    plan.certificates[each.pairs] = certificates
                    context = certificates.context
                acceptance = Acceptance(each.connect, context, each.proxied, trusted, empty_ip_ok)
                for endpoint in uncovered(each.endpoints):
                    place = Place(endpoint, "" if endpoint.port else each.name)
                    plan.acceptances[place] = (each.name, acceptance)
                    if place not in self._listeners:
                        self._open(plan, place, each.name, given)
            refuse_unused(given)
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
        for place in plan.late:
            with contextlib.suppress(OSError):
                plan.sockets[place] = bind(place.endpoint)
            if place not in plan.sockets:
                log.error("cannot listen on %s, which another process took meanwhile", place.endpoint)
                del plan.acceptances[place]
        kept = self._listeners
        self._listeners = {}
        for place, (name, acceptance) in plan.acceptances.items():
            listener = kept.get(place) or Listener(
                self._loop, plan.sockets[place], self._limit, name, acceptance
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
        for watch in self._watches:
            watch.cancel()
        self._watches.clear()

    def _open(self, plan: Plan, place: Place, name: str, given: list[socket.socket]) -> None:
        sock = take_socket(given, place.endpoint)
        try:
            if sock is None:
                sock = bind(place.endpoint)
        except OSError as error:
            if any(place.endpoint.overlaps(known.endpoint) for known in self._listeners):
                plan.late.append(place)
                return
            raise StartupError(
                f"cannot listen for {name} on {place.endpoint}: {os.strerror(error.errno or 0).lower()}; "
                "stop what uses that port (see `ss -ltnp`), or choose another port in the configuration"
            ) from error
        plan.sockets[place] = sock

    async def _check_certificates(self) -> None:
        while True:
            await asyncio.sleep(limits.CERTIFICATE_CHECK_SECONDS)
            for certificates in list(self._certificates.values()):
                await self._loop.run_in_executor(None, certificates.check)
