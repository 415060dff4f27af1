"""`/api/v1/trends`: what the server did over the last hour, one sample each TREND_SECONDS."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator, Iterable
from itertools import dropwhile
from typing import Final, NamedTuple

from fastflv import limits
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.turns import Turns
from fastflv.servers.api.census import Census
from fastflv.servers.api.machine import CpuMeter, now_ms, resident_kbyte
from fastflv.servers.api.operation import Call, Fields, Operation, Parameter
from fastflv.servers.api.paging import number_of
from fastflv.servers.api.schema import COUNT, NUMBER, about, listed, record
from fastflv.stream.clients import Client


class TrendSample(NamedTuple):
    """What was found at one moment. Rates are those since the sample before."""

    time_ms: int
    cpu: float
    machine_cpu: float
    memory_bytes: int
    streams: int
    publishers: int
    players: int
    connections: int
    recv_kbps: int
    send_kbps: int


TRENDS: Final = record(
    {
        "step_seconds": about(NUMBER, "Time between two samples."),
        "time_ms": about(listed(COUNT), "Wall clock, ms since 1970, the oldest first."),
        "cpu": about(listed(NUMBER), "Of the process, cores."),
        "machine_cpu": about(listed(NUMBER), "Of the machine, 0 to 1."),
        "memory_bytes": about(listed(COUNT), "Resident memory of the process."),
        "streams": listed(COUNT),
        "publishers": listed(COUNT),
        "players": listed(COUNT),
        "connections": listed(COUNT),
        "recv_kbps": listed(COUNT),
        "send_kbps": listed(COUNT),
    }
)


class Trends:
    """Takes the samples, in portions between turns of the event loop, and shows them."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, turns: Turns, census: Census, limit: ConnectionLimit
    ) -> None:
        self._loop = loop
        self._turns = turns
        self._census = census
        self._limit = limit
        self._cpu = CpuMeter()
        self._samples: deque[TrendSample] = deque(maxlen=limits.TREND_SAMPLES)
        self._moved = (census.clock(), 0, 0)
        "Of the newest sample: clock, bytes received and sent since the start."
        self._timer: asyncio.TimerHandle | None = None
        self._steps: Generator[None, None, None] | None = None
        "The sample that is being taken."

    def begin(self) -> None:
        """Take samples from now on."""
        self._timer = self._loop.call_later(limits.TREND_SECONDS, self._tick)

    def close(self) -> None:
        """Take no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def newest(self) -> TrendSample | None:
        """The newest sample; None before the first."""
        return self._samples[-1] if self._samples else None

    def operations(self) -> Iterable[Operation]:
        after = Parameter("after", {**COUNT, "default": 0}, "Samples after that `time_ms` alone.")
        return (
            Operation(
                "GET",
                "/api/v1/trends",
                "CPU, memory, clients and bit rates over the last hour",
                self._show,
                record({"trends": TRENDS}),
                (after,),
            ),
        )

    def _show(self, call: Call) -> Fields:
        after = number_of(call.request.args.get("after", ""), 0)
        found = list(dropwhile(lambda each: each.time_ms <= after, self._samples))
        columns = zip(*found, strict=True) if found else ((),) * len(TrendSample._fields)
        shown = {name: list(column) for name, column in zip(TrendSample._fields, columns, strict=True)}
        return {"trends": {"step_seconds": limits.TREND_SECONDS, **shown}}

    def _tick(self) -> None:
        self.begin()
        if self._steps is None:
            self._steps = self._take()
            self._advance()

    def _advance(self) -> None:
        steps = self._steps
        if steps is None:
            return
        while self._turns.open():
            if next(steps, steps) is steps:
                self._steps = None
                return
        self._turns.queue(self._advance)

    def _take(self) -> Generator[None, None, None]:
        """Add up what clients moved, some hundred of them in one step; then keep the sample."""
        clients = self._census.clients
        received, sent = clients.received_before, clients.sent_before.total()
        players: list[Client] = []
        for client in clients:
            # A publisher that leaves tells no more, and its bytes are in `received_before` the next time.
            if client.publish:
                received += client.received
                sent += client.sent
            else:
                players.append(client)
        publishers = len(clients) - len(players)
        for count, client in enumerate(players, 1):
            received += client.received
            sent += client.sent
            if count % limits.METRICS_STEP == 0:
                yield
        self._keep(received, sent, publishers, len(players))

    def _keep(self, received: int, sent: int, publishers: int, players: int) -> None:
        now = self._census.clock()
        at, received_then, sent_then = self._moved
        self._moved = now, received, sent
        seconds = max(now - at, 0.001)
        process, machine = self._cpu.shares()
        self._samples.append(
            TrendSample(
                now_ms(),
                round(process, 3),
                round(machine, 3),
                resident_kbyte() * 1024,
                len(self._census.hub),
                publishers,
                players,
                self._limit.taken,
                _kbps(received - received_then, seconds),
                _kbps(sent - sent_then, seconds),
            )
        )


def _kbps(count: int, seconds: float) -> int:
    return max(round(8 * count / 1000 / seconds), 0)
