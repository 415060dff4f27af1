"""Which streams have rows of their own in the metrics, and the row of all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

from fastflv import limits
from fastflv.net.peertext import printable
from fastflv.stream.stream import Stream

OTHER: Final = "other"
"The vhost and the stream of the row of all others. Names of streams have a slash in them."


class Totals(NamedTuple):
    """What only grows while a stream lives."""

    received: int = 0
    sent: int = 0
    dropped: int = 0
    jumps: int = 0
    evicted: int = 0

    def grown(self, before: Totals, now: Totals) -> Totals:
        """Return these and what another grew by from *before* to *now*."""
        return Totals(*(own + new - old for own, old, new in zip(self, before, now, strict=True)))


NOTHING: Final = Totals()


@dataclass(slots=True)
class StreamRow:
    """One stream at one scrape."""

    vhost: str
    stream: str
    "`app/stream`, printable."

    id: str = ""
    publishers: int = 0
    players: Counter[str] = field(default_factory=Counter)
    "By output."

    received: int = 0
    "Bytes of media of all its publishers."

    sent: int = 0
    "Bytes sent to players, those that left too."

    dropped: int = 0
    "Pictures left out for players that lagged."

    jumps: int = 0
    evicted: int = 0
    frame_rate: float = 0.0
    "Pictures a second."

    key_interval_ms: int = 0
    gop_bytes: int = 0
    jitter_ms: float = 0.0
    skew_ms: int = 0

    @property
    def totals(self) -> Totals:
        return Totals(self.received, self.sent, self.dropped, self.jumps, self.evicted)


class StreamRows:
    """Gives rows of their own to a bounded number of streams; the others share one.

    A stream that has a row keeps it until it ends. Only streams with media get one, when they are first seen: a name
    that is asked for, or published for a moment, makes no series. The counters of the shared row never fall: they add
    up what its streams grew by between two scrapes.
    """

    def __init__(self, room: Callable[[], int]) -> None:
        """*room*: how many streams may have rows of their own."""
        self._room = room
        self._named: set[str] = set()
        self._seen: dict[str, Totals] = {}
        "Of the streams that there were at the last scrape, by id."
        self._beyond = Totals()

    def row(self, stream: Stream, now_ms: int) -> StreamRow:
        """Return the row of a stream at *now_ms* (monotonic clock), without its clients and what they were sent."""
        writer, figures = stream.writer, stream.writer.figures_at(now_ms)
        return StreamRow(
            stream.name.vhost,
            printable(f"{stream.name.app}/{stream.name.stream}"),
            stream.id,
            received=writer.bytes,
            frame_rate=figures.frame_rate,
            key_interval_ms=figures.key_interval_ms,
            gop_bytes=figures.gop_bytes,
            jitter_ms=figures.jitter_ms,
            skew_ms=writer.skew_ms,
        )

    def finish(self, rows: Collection[StreamRow]) -> Generator[None, None, list[StreamRow]]:
        """Return the rows to show, in the order of *rows*, and the row of the others last; in steps."""
        room = self._room()
        named = {row.id for row in islice((row for row in rows if row.id in self._named), room)}
        for row in rows:
            if len(named) >= room:
                break
            if row.received:
                named.add(row.id)
        other = StreamRow(OTHER, OTHER)
        seen, beyond = {}, self._beyond
        for count, row in enumerate(rows):
            seen[row.id] = row.totals
            if row.id not in named:
                other.publishers += row.publishers
                other.players += row.players
                beyond = beyond.grown(self._seen.get(row.id, NOTHING), seen[row.id])
            if count % limits.METRICS_STEP == limits.METRICS_STEP - 1:
                yield
        self._named, self._seen, self._beyond = named, seen, beyond
        other.received, other.sent, other.dropped, other.jumps, other.evicted = beyond
        return [*(row for row in rows if row.id in named), other]
