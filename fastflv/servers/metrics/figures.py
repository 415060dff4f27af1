"""What one scrape finds: the numbers of the server, and those of each stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from fastflv import limits
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.servers.metrics.streamrows import StreamRow, StreamRows
from fastflv.stream.clients import Client, Clients, PlayerLink
from fastflv.stream.endreason import EndReason
from fastflv.stream.histogram import Counts
from fastflv.stream.hub import Hub, Switch
from fastflv.stream.joindelays import JoinDelays
from fastflv.stream.lag import NO_STEPS, Steps
from fastflv.stream.stream import Phase, Stream


@dataclass(frozen=True, slots=True)
class EdgeFigures:
    """What an edge fetches from other servers."""

    pulls: Mapping[str, int]
    "By state."
    pulls_total: int
    switches: int
    "Times that a stream went on from another connection."
    relays: int
    "Publishes that are passed on."
    origins_down: int


class ForwardFigures(NamedTuple):
    """What streams that are published to other servers come to."""

    states: Mapping[str, int]
    "Forwards by state."

    sent: int
    "Bytes of media since the start."

    failures: int
    "Connections since the start that were not made, were refused or were lost."


@dataclass(slots=True)
class Figures:
    """The numbers of one scrape. Nothing in it changes once it is taken: a thread makes the text of it."""

    streams: int
    in_grace: int
    clients: int
    clients_total: int
    waiting: int
    "Requests that wait for a stream."
    connections: int
    connections_max: int
    connections_total: int
    connections_refused: int
    steps: Steps
    received: int
    sent: int
    ended: Mapping[EndReason, int]
    switches: Mapping[Switch, int]
    limited: Mapping[str, int]
    "Refusals and closed publishers by name of the limit."
    forwards: ForwardFigures
    directories: Mapping[str, bool]
    "Whether each can be used, by its URL without password."
    windows_ms: Mapping[str, int]
    histograms: Mapping[str, Counts]
    cpu: float = 0.0
    "Of the process, cores."

    memory: int = 0
    "Resident, bytes."

    pages: tuple[int, int] = (0, 0)
    "Memory of pages and large starts: what is given out, and what the system has given for it; bytes."

    rows: list[StreamRow] = field(default_factory=list)
    "By stream; the last one is that of all others."
    publishers: int = 0
    players: Counter[str] = field(default_factory=Counter)
    "By output."
    lagging: int = 0
    edge: EdgeFigures | None = None
    "None: the server has fetched nothing."


class Survey:
    """Takes the figures of a server, in steps that may be turns of the event loop apart.

    Counters must not fall. So what those that left have sent is read at once, with the list of those that are there, and
    so is what publishers were sent: one that leaves tells it no more. Players do, and are counted step by step.
    """

    def __init__(
        self,
        hub: Hub,
        clients: Clients,
        limit: ConnectionLimit,
        *,
        limited: Mapping[str, int],
        forwards: ForwardFigures,
        directories: Mapping[str, bool],
        windows: Mapping[str, int],
        rows: StreamRows,
        joins: JoinDelays,
        now_ms: int,
    ) -> None:
        """*limited*: refusals by name of the limit. *windows*: merge windows by thread, ms. *now_ms*: monotonic clock."""
        self._rows = rows
        self._joins = joins
        self._hub = hub
        self._now_ms = now_ms
        self._row_of: dict[Stream, StreamRow] = {}
        self._before = [(stream, stream.sent_before, stream.steps_before, stream.evicted) for stream in hub]
        self._players: list[Client] = []
        self._publishers: Counter[Stream] = Counter()
        self.figures = Figures(
            streams=len(hub),
            in_grace=sum(stream.phase is Phase.GRACE for stream in hub),
            clients=len(clients),
            clients_total=clients.total,
            waiting=hub.waiting,
            connections=limit.taken,
            connections_max=limit.limit,
            connections_total=limit.total,
            connections_refused=limit.refused,
            steps=clients.steps_before,
            received=clients.received_before,
            sent=clients.sent_before.total(),
            ended=Counter(clients.ended),
            switches=Counter(hub.switches),
            limited=dict(limited),
            forwards=forwards,
            directories=directories,
            windows_ms=windows,
            histograms={},
        )
        for client in clients:
            if client.publish:
                self._count_publisher(client)
            else:
                self._players.append(client)

    def steps(self) -> Generator[None, None, None]:
        """Do the work; each step costs less than a millisecond."""
        for stream, sent, steps, evicted in self._before:
            row = self._rows.row(stream, self._now_ms)
            row.publishers = self._publishers[stream]
            row.sent, row.dropped, row.jumps, row.evicted = sent, steps.dropped, steps.jumps, evicted
            self._row_of[stream] = row
            if len(self._row_of) % limits.METRICS_STEP == 0:
                yield
        for count, client in enumerate(self._players, 1):
            self._count(client, cast(PlayerLink, client.link))
            if count % limits.METRICS_STEP == 0:
                yield
        self.figures.rows = yield from self._rows.finish(self._row_of.values())
        self.figures.histograms = self._hub.delays.now()

    def _count_publisher(self, client: Client) -> None:
        figures = self.figures
        figures.sent += client.sent
        figures.received += client.received
        figures.publishers += 1
        self._publishers[client.stream] += 1

    def _count(self, client: Client, link: PlayerLink) -> None:
        figures, output = self.figures, client.request.output.removesuffix("-play")
        sent, steps = link.sent, link.steps
        figures.sent += sent
        figures.players[output] += 1
        self._hub.delays.lag.observe(steps.lag_ms)
        self._joins.look(client)
        row = self._row_of.get(client.stream)
        if row is not None:
            row.players[output] += 1
            row.sent += sent
        if steps is NO_STEPS:
            return
        figures.lagging += steps.lag_ms > 0
        figures.steps = figures.steps.then(steps)
        if row is not None:
            row.dropped += steps.dropped
            row.jumps += steps.jumps
