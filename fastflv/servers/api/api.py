"""The HTTP API: SRS's, and what fastflv has beside it. One table of operations, put together of rooms by subject."""

from __future__ import annotations

import logging
from asyncio import Future, ensure_future
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from fastflv import limits
from fastflv.config.model.server import Stats
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.turns import Turns
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.api import jsonp
from fastflv.servers.api.about import About
from fastflv.servers.api.census import Census
from fastflv.servers.api.clients import ClientRows
from fastflv.servers.api.echo import Echo
from fastflv.servers.api.guard import ApiGuard
from fastflv.servers.api.health import Health
from fastflv.servers.api.identity import Identity
from fastflv.servers.api.merging import MERGES, Answer, Merge
from fastflv.servers.api.openapi import Document
from fastflv.servers.api.operation import Call, Fields, Listing, Operation
from fastflv.servers.api.publishers import Publishers
from fastflv.servers.api.raw import Raw
from fastflv.servers.api.streams import Streams
from fastflv.servers.api.system import System
from fastflv.servers.api.table import Table
from fastflv.servers.api.vhosts import Vhosts
from fastflv.servers.http.dispatch import fail

log = logging.getLogger(__name__)

PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"


class Api:
    """Answers requests of the kind API."""

    def __init__(
        self,
        census: Census,
        connection_limit: ConnectionLimit,
        turns: Turns,
        *,
        identity: Identity,
        raw: Raw,
        guard: ApiGuard,
        metrics: Callable[[Exchange], None],
        stats: Callable[[], Stats] = Stats,
        unready: Callable[[], str] = str,
    ) -> None:
        """*metrics* answers `/metrics`. *stats* returns the settings in force, *unready* why new clients should go elsewhere."""
        self.table = Table()
        "Other rooms add their rows."
        self.raw = raw
        self.others: Callable[[str, Request], Awaitable[list[Answer]]] | None = None
        "Asks all workers of the server, this one too, with a method; None where it is one process."
        self._identity = identity
        self._guard = guard
        self._turns = turns
        system = System(census, connection_limit, stats)
        self.summary = system.summary
        "`data` of /api/v1/summaries; it is a sample of some tenths of a second ago at most."
        rooms = (
            About(self.table),
            system,
            Vhosts(census),
            Streams(census),
            ClientRows(census),
            Publishers(census),
            raw,
            Echo(),
            Health(unready),
            Document(self.table),
        )
        for room in rooms:
            self.table.add(*room.operations())

        def show_metrics(call: Call) -> None:
            metrics(call.exchange)

        self.table.add(
            Operation("GET", "/metrics", "figures for Prometheus", show_metrics, content=PROMETHEUS)
        )

    def handle(self, exchange: Exchange) -> None:
        """Answer, at once or later."""
        request = exchange.request
        resource = self.table.find(request.path)
        operation = resource.operation(jsonp.method_of(request)) if resource is not None else None
        refused = None
        if not request.peer.own:
            refused = self._guard.refusal(request, operation) or jsonp.refusal(
                request, password=self._guard.has_password
            )
        if refused is not None:
            exchange.respond(refused)
        elif resource is None:
            exchange.respond(Response.of_text(404))
        elif operation is None:
            exchange.respond(resource.wrong_method())
        else:
            self._answer(operation, Call(exchange, resource.args))

    def _answer(self, operation: Operation, call: Call) -> None:
        merge = MERGES.get((operation.method, operation.path))
        if merge is not None and self.others is not None and not call.request.peer.own:
            merging = ensure_future(self._merged(self.others, merge, operation, call.request))
            merging.add_done_callback(partial(self._answered, call))
            return
        answer = operation.handler(call)
        if isinstance(answer, Listing):
            self._advance(call, answer, [])
        elif isinstance(answer, Future):
            answer.add_done_callback(partial(self._answered, call))
        elif answer is not None:
            self._respond(call, answer)

    async def _merged(
        self,
        others: Callable[[str, Request], Awaitable[list[Answer]]],
        merge: Merge,
        operation: Operation,
        request: Request,
    ) -> Fields:
        """Return what all workers say together."""
        return merge(await others(operation.method, request), request)

    def _respond(self, call: Call, answer: Fields | Response) -> None:
        response = answer if isinstance(answer, Response) else self._identity.reply(answer)
        call.exchange.respond(jsonp.wrap(call.request, response))

    def _answered(self, call: Call, done: Future[Fields]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            log.error("api: %s failed", call.request.path, exc_info=error, extra=call.request.peer.marks)
        if error is not None or done.cancelled():
            call.exchange.respond(Response.of_text(500))
        else:
            self._respond(call, done.result())

    def _advance(self, call: Call, listing: Listing, rows: list[Fields]) -> None:
        """Make rows while the turn has time, then go on in the next one; then answer."""
        for row in listing.rows:
            rows.append(row)
            if len(rows) % limits.LISTING_STEP == 0 and not self._turns.open():
                self._turns.queue(lambda: self._go_on(call, listing, rows))
                return
        self._respond(call, {listing.name: rows, "total": listing.total})

    def _go_on(self, call: Call, listing: Listing, rows: list[Fields]) -> None:
        try:
            self._advance(call, listing, rows)
        except Exception:
            fail(call.exchange)
