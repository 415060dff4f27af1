"""Bit rates of clients, measured for the limits that ask for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable

from fastflv import limits
from fastflv.access.tally import Counted, Key, key_of
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason


class Meter:
    """Adds up what clients were sent since the look before, and closes publishers that send too much.

    A publisher is closed when it is ahead of its rate by INGEST_BURST_SECONDS of it: reading slower would only move the
    delay into the encoder, whose picture would then be late for everybody.
    """

    def __init__(self, clients: Clients, closed: Callable[[], None]) -> None:
        """*closed* is called for each publisher that is closed."""
        self._clients = clients
        self._closed = closed
        self._wanted: tuple[Counted, ...] = ()
        self._ingest: Callable[[str], float] = lambda vhost: 0.0
        self._looked = 0.0
        self._sent: dict[str, int] = {}
        "Bytes at the last look, by client."
        self._taken: dict[str, tuple[int, float]] = {}
        "Likewise of publishers: bytes received, and bits by which it is ahead."
        self._rates: dict[Key, float] = {}

    def measure(self, wanted: Iterable[Counted], ingest: Callable[[str], float]) -> None:
        """Measure what is sent to *wanted*. *ingest*: bits a second that a publisher of a vhost may send; 0: any."""
        self._wanted = tuple(wanted)
        self._ingest = ingest
        self._rates = {key: rate for key, rate in self._rates.items() if key[0] in self._wanted}

    def rate_of(self, key: Key) -> float:
        """Return the bits a second that were sent to *key* lately."""
        return self._rates.get(key, 0.0)

    def look(self, now: float) -> Generator[None, None, None]:
        """Look at each client, in steps that may be turns apart; *now*: clock, seconds."""
        passed = now - self._looked
        if passed <= 0:
            return
        self._looked = now
        sent, taken = dict[str, int](), dict[str, tuple[int, float]]()
        grown: dict[Key, int] = defaultdict(int)
        for count, client in enumerate(list(self._clients), 1):
            if client.publish:
                taken[client.id] = self._take(client, passed)
            elif self._wanted:
                size = sent[client.id] = client.sent
                # Who joined since then counts with what it was sent.
                size -= self._sent.get(client.id, 0)
                for each in self._wanted:
                    if each.vhost in ("", client.request.vhost):
                        grown[key_of(each, client.request)] += size
            if count % limits.LIMIT_LOOK_CLIENTS == 0:
                yield
        self._sent, self._taken = sent, taken
        weight = limits.SEND_RATE_WEIGHT
        rates = {key: rate * (1 - weight) for key, rate in self._rates.items() if rate > 1000}
        for key, size in grown.items():
            rates[key] = rates.get(key, 0.0) + weight * 8 * size / passed
        self._rates = rates

    def _take(self, client: Client, passed: float) -> tuple[int, float]:
        """Note what a publisher has sent; close it where that is too much."""
        received, most = client.received, self._ingest(client.request.vhost)
        before, ahead = self._taken.get(client.id, (0, 0.0))
        if not most or client.request.own:
            return received, 0.0
        ahead = max(0.0, ahead + 8 * (received - before) - most * passed)
        if ahead > most * limits.INGEST_BURST_SECONDS:
            self._closed()
            client.drop(EndReason.OVER_RATE)
        return received, ahead
