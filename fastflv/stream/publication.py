"""Publications: one publish each, whatever feeds it (RTMP, the body of an HTTP request, a pull)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from fastflv import limits
from fastflv._ext.ingest.lowwater import LowWater
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv.access.gate import Gate
from fastflv.access.request import AccessRequest
from fastflv.net.deadline import Deadline, Handle, Timers
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason
from fastflv.stream.gathering import Gathering, Gatherings
from fastflv.stream.graces import Graces
from fastflv.stream.hub import Hub
from fastflv.stream.idle import IdlePublishers
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream, StreamOptions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """Settings of a vhost for its publishers."""

    stream: StreamOptions = field(default_factory=StreamOptions)

    first_media: float = 20.0
    "Time from publish to the first media, seconds (`firstpkt_timeout`)."

    silence: float = 5.0
    "Silence after which a publisher is disconnected, seconds (`normal_timeout`)."

    idle: float = 0.0
    "Time without players after which a publisher is disconnected, seconds; 0: never (`kickoff_for_idle`)."


class Source(Protocol):
    """What feeds a publication."""

    @property
    def sent(self) -> int:
        """Bytes sent to the publisher since its connection began."""

    def publication_dropped(self, publication: Publication, reason: EndReason) -> None:
        """The server ends the publish: the source calls `Publication.end` and closes its connection."""


def _nothing() -> None:
    """Publishers are read by the event loop, in the order of what they send."""


class Publications:
    """What all publications of a server share."""

    def __init__(self, timers: Timers, hub: Hub, clients: Clients, gate: Gate) -> None:
        self.timers = timers
        self.hub = hub
        self.clients = clients
        self.gate = gate
        self.graces = Graces(timers, hub)
        self.gatherings = Gatherings(timers)
        self.catch_up: Callable[[], None] = _nothing
        "Reads what publishers have sent by now, so that one that has just left gives its name to the one that comes."
        self.idle = IdlePublishers(timers, clients)

    def now_ms(self) -> int:
        return int(self.timers.time() * 1000)

    def resume(
        self,
        stream: Stream,
        options: PublishOptions,
        request: AccessRequest,
        source: Source,
        low_water: LowWater | None,
        joined: float,
    ) -> Publication:
        """Go on with a publish that another process has handed over; *stream* is resumed. *low_water*: as in `begin`."""
        return Publication(self, stream, options, request, source, low_water, joined)

    def begin(
        self,
        name: StreamName,
        options: PublishOptions,
        request: AccessRequest,
        source: Source,
        low_water: LowWater | None = None,
    ) -> Publication:
        """Begin a publish that the gate has admitted; write its media to `Publication.sink`.

        *low_water*: of a plain socket that carries nothing but this publish. Raises StreamBusyError when the
        name has a publisher already.
        """
        self.catch_up()
        stream = self.hub.publish(name, options.stream, request.client_id, self.now_ms())
        stream.publisher = request
        self.graces.cancel(name)
        return Publication(self, stream, options, request, source, low_water)


class Publication:
    """One publish from its admission to its end. The source calls `begin_read` and `end_read` around its media, or does
    in C what they do (`_ext/ingest/feeds`), and calls `look`.
    """

    __slots__ = (
        "_bytes_before", "_client", "_doubted", "_fed", "_formats", "_gathering", "_options", "_sent_before", "_settling",
        "_shared", "_source", "_watch", "sink", "stream",
    )  # fmt: skip

    def __init__(
        self,
        shared: Publications,
        stream: Stream,
        options: PublishOptions,
        request: AccessRequest,
        source: Source,
        low_water: LowWater | None,
        joined: float | None = None,
    ) -> None:
        """*joined*: when it began, monotonic clock, seconds; None: now."""
        now = shared.timers.time()
        self.stream = stream
        self.sink: StreamWriter = stream.writer
        "Takes media messages."
        self._shared = shared
        self._options = options
        self._source: Source | None = source
        "None once the publish has ended: the source holds the publication, and a cycle would keep its stream."
        self._sent_before = source.sent
        self._bytes_before = stream.writer.bytes
        self._formats = stream.writer.formats
        self._fed = False
        "Some media has arrived."
        self._doubted = False
        "It seemed silent at the last look."
        self._settling: Handle | None = None
        self._gathering = Gathering(stream, low_water) if low_water is not None else None
        self._client: Client | None = Client(request, stream, self, now if joined is None else joined)
        shared.clients.add(self._client, resumed=joined is not None)
        shared.idle.watch(self._client, options.idle)
        self._watch = Deadline(shared.timers, self._silent, step=limits.WATCH_SECONDS_MIN)
        "Moved when it rings, by the media that has come."
        self._watch.set(self._patience)
        self.begin_read(now)
        if self._gathering is not None:
            shared.gatherings.add(self._gathering)

    # --- Link ---

    @property
    def sent(self) -> int:
        """Bytes sent to the publisher since this publish began."""
        return self._source.sent - self._sent_before if self._source is not None else 0

    @property
    def received(self) -> int:
        """Bytes of media received since this publish began."""
        return self.stream.writer.bytes - self._bytes_before

    def drop(self, reason: EndReason) -> None:
        """Disconnect the publisher."""
        if self._source is not None:
            self._source.publication_dropped(self, reason)

    # --- media ---

    @property
    def ended(self) -> bool:
        return self._client is None

    def begin_read(self, now: float) -> None:
        """Media that arrived at *now* (monotonic clock, seconds) is about to be written."""
        self.sink.now_ms = int(now * 1000)

    def take_script(self, name: str, payload: bytes, timestamp: int) -> None:
        """Take script data in its place among the media; *timestamp*: ms modulo 2**32."""
        self.stream.take_data(name, payload, timestamp)

    def end_read(self, *, inside: bool = False) -> None:
        """Publish what one read brought to the players, and `look` at it. *inside*: the read ended within a message."""
        self.sink.flush()
        if self._gathering is not None:
            self._gathering.end_read(inside=inside)
        self.look()

    def look(self) -> None:
        """Note the first media, and let players start once the tracks are known.

        Call it after each read until the writer is `settled`, and whenever its `formats` changes.
        """
        writer = self.sink
        if not self._fed and writer.bytes != self._bytes_before:
            self._fed = True
            self._watch.set(self._patience)
        if not self.stream.settled:
            self._settle()
        elif writer.formats != self._formats:
            self._formats = writer.formats
            for why in self.stream.misfits():
                log.warning("tracks have changed: %s", why, extra=self._marks)

    def resume(self, bytes_before: int) -> None:
        """Go on with a publish of another process, which has brought media; *bytes_before*: of the stream before it."""
        self._fed = True
        self._bytes_before = bytes_before
        self._watch.set(self._patience)
        self.look()

    @property
    def source(self) -> Source | None:
        """What feeds it; None after the end."""
        return self._source

    @property
    def client(self) -> Client | None:
        """The publisher's entry among the clients; None after the end."""
        return self._client

    @property
    def bytes_before(self) -> int:
        """Bytes of media of the stream before this publish."""
        return self._bytes_before

    def part(self) -> None:
        """Another process goes on with the publish: forget it, and tell nobody."""
        client, self._client = self._client, None
        if client is None:
            return
        self._stop_gathering()
        self._watch.cancel()
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        self._shared.idle.watch(client, 0)
        self._shared.clients.part(client)
        self._source = None

    def adopt(self, options: PublishOptions) -> None:
        """Take the settings of a new configuration."""
        if self._client is not None and options.idle != self._options.idle:
            self._shared.idle.watch(self._client, options.idle)
        self._options = options
        self._watch.set(self._patience, since=max(self._watch.heard, self._alive))

    def read_from(self, low_water: LowWater | None) -> None:
        """Another socket brings the media from now on: *low_water* as `Publications.begin` has it."""
        self._stop_gathering()
        if low_water is not None and not self.ended:
            self._gathering = Gathering(self.stream, low_water)
            self._shared.gatherings.add(self._gathering)

    def gather_no_more(self) -> None:
        """The socket carries other publishes too: it must wake the loop for each byte."""
        if self._gathering is not None:
            self._gathering.wake()
        self._stop_gathering()

    def end(self, reason: EndReason) -> None:
        """End the publish; players stay for the grace period. No harm when it has ended."""
        client, self._client = self._client, None
        if client is None:
            return
        shared = self._shared
        self._stop_gathering()
        self._watch.cancel()
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        self.stream.writer.finish()
        self.stream.writer.flush()
        shared.clients.remove(client, reason, shared.timers.time())
        self._source = None
        shared.hub.unpublish(self.stream, shared.now_ms())
        shared.graces.begin(self.stream, client.request.peer)

    # --- timers ---

    def _settle(self) -> None:
        """Ask whether the tracks are known, again when only time can tell."""
        now_ms = self._shared.now_ms()
        self._shared.hub.settle(self.stream, now_ms)
        if not self.stream.settled and self.stream.settle_at and self._settling is None:
            delay = (self.stream.settle_at - now_ms) / 1000 + 0.001
            self._settling = self._shared.timers.call_later(delay, self._settle_late)

    def _settle_late(self) -> None:
        self._settling = None
        if not self.ended and not self.stream.settled:
            self._settle()

    @property
    def _marks(self) -> dict[str, str]:
        """Of the publisher, for the log; empty after the end."""
        return self._client.request.peer.marks if self._client is not None else {}

    @property
    def _patience(self) -> float:
        """Seconds without media after which the publisher is disconnected."""
        return self._options.silence if self._fed else self._options.first_media

    @property
    def _alive(self) -> float:
        """When media last came, monotonic clock, seconds; a byte now and then does not count."""
        return self.sink.alive_ms / 1000

    def _silent(self) -> None:
        if self._alive > self._watch.heard:
            self._doubted = False
            self._watch.set(self._patience, since=self._alive)
            return
        if self._gathering is not None and not self._doubted:
            # Publishers that are read many at a time have turns, and its own may be yet to come.
            self._doubted = True
            self._gathering.wake()
            self._watch.set(self._patience + limits.LATE_SECONDS, since=self._watch.heard)
            return
        much = "next to no media" if self._fed and self.sink.idles else "no media"
        log.info(
            "publisher of %s is disconnected: %s for %g s", self.stream.name.url, much, self._patience,
            extra=self._marks,
        )  # fmt: skip
        self.drop(EndReason.SILENT)

    def _stop_gathering(self) -> None:
        gathering, self._gathering = self._gathering, None
        if gathering is not None:
            self._shared.gatherings.remove(gathering)
            gathering.forget()
