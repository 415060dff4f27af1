"""The limits of one server: their rules, and what they are compared with."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping

from fastflv import limits
from fastflv.access.limits import Applied, LimitRule, Usage
from fastflv.access.rule import Rule
from fastflv.access.tally import Counted
from fastflv.access.tokenbucket import Buckets
from fastflv.config.model.limits import Kind, Scope
from fastflv.config.model.server import Settings
from fastflv.config.model.vhost import Vhost
from fastflv.net.turns import Turns
from fastflv.stream.clients import Clients
from fastflv.stream.meter import Meter

log = logging.getLogger(__name__)


class Limiter:
    """What limits count outlives a reload; which of it they compare, the configuration says."""

    def __init__(self, loop: asyncio.AbstractEventLoop, turns: Turns, clients: Clients) -> None:
        self._loop = loop
        self._turns = turns
        self._clients = clients
        self.refused: Counter[str] = Counter()
        "Refusals and closed publishers by name of the limit."
        self.by_address: Mapping[str, tuple[Rule, ...]] = {}
        "Limits of one address, by name of the vhost. They are asked before a token is verified, which may cost more than they do."
        self.rules: Mapping[str, tuple[Rule, ...]] = {}
        "The others. Whoever has no right to ask counts in none of them, and so keeps nobody out."
        self._meter = Meter(clients, self._count_closed)
        self._usage = Usage(clients.tally, Buckets(loop.time), self._meter.rate_of, self.refused)
        self._timer: asyncio.TimerHandle | None = None
        self._steps: Iterator[None] | None = None
        "Of the look that is under way."

    def _rule(self, vhost: Vhost, settings: Settings, *, by_address: bool) -> tuple[Rule, ...]:
        """Return the rule of the clients of *vhost*, where *settings* have limits of that sort for them."""
        lines = [
            *(Applied(limit, "") for limit in settings.limits.lines),
            *(Applied(limit, vhost.name) for limit in vhost.limits.lines),
        ]
        own = (Kind.ACCEPT, Kind.INGEST_RATE)
        lines = [
            each
            for each in lines
            if each.limit.kind not in own and (each.limit.scope is Scope.IP) is by_address
        ]
        return (LimitRule(lines, self._usage),) if lines else ()

    def adopt(self, settings: Settings) -> None:
        """Compare clients with the limits of *settings* from now on, and count and measure what they ask for."""
        self.by_address, self.rules = (
            {
                name: self._rule(vhost, settings, by_address=by_address)
                for name, vhost in settings.vhosts.items()
            }
            for by_address in (True, False)
        )
        counted, measured = list[Counted](), list[Counted]()
        blocks = {"": settings.limits, **{name: vhost.limits for name, vhost in settings.vhosts.items()}}
        for name, block in blocks.items():
            for limit in block.lines:
                if limit.scope is not None and limit.kind not in (Kind.ACCEPT, Kind.REQ):
                    kind = measured if limit.kind is Kind.SEND_RATE else counted
                    kind.append(Counted.of(name, limit.kind, limit.scope))
        present = [client.request for client in self._clients]
        waiting = [each.request for each, _ in self._clients.arrivals if each.request is not None]
        self._clients.tally.count_by(counted, present + waiting)
        ingest = {
            name: min(
                (
                    limit.most
                    for limit in (*settings.limits.lines, *vhost.limits.lines)
                    if limit.kind is Kind.INGEST_RATE
                ),
                default=0.0,
            )
            for name, vhost in settings.vhosts.items()
        }
        self._meter.measure(measured, lambda vhost: ingest.get(vhost, 0.0))
        self.close()
        if measured or any(ingest.values()):
            self._look_later()

    def close(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _count_closed(self) -> None:
        self.refused[Kind.INGEST_RATE.value] += 1

    def _look_later(self) -> None:
        self._timer = self._loop.call_later(limits.LIMIT_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._look_later()
        # One look at a time: where the loop is busy, the next one is later.
        if self._steps is None:
            self._steps = self._meter.look(self._loop.time())
            self._go_on()

    def _go_on(self) -> None:
        try:
            while self._steps is not None and self._turns.open():
                if next(self._steps, self) is self:
                    self._steps = None
        except Exception:
            log.exception("the rates of clients could not be measured")
            self._steps = None
        if self._steps is not None:
            self._turns.queue(self._go_on)
