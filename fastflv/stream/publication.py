"""Publications: one publish each, whatever feeds it (RTMP, the body of an HTTP request, a pull)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from fastflv import limits
from fastflv._ext.ingest.inlet import Inlet
from fastflv._ext.ingest.lowwater import LowWater
from fastflv.access.gate import Gate
from fastflv.access.request import AccessRequest
from fastflv.errors import StreamBusyError
from fastflv.net.deadline import Deadline, Handle, Timers
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason
from fastflv.stream.gathering import Gathering, Gatherings
from fastflv.stream.graces import Graces
from fastflv.stream.hub import Hub, Switch
from fastflv.stream.idle import IdlePublishers
from fastflv.stream.lineup import Lineup
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

    takeover: bool = False
    "A second publisher of a name and role takes the place of the first."

    failover: float = limits.FAILOVER_MS / 1000
    "Silence on air after which the publisher on standby is played, seconds."

    failback: bool = False
    "The primary publisher is played again once it is back."

    backup_suffix: str = ""
    "End of stream names whose publishers are backups of the name without it; empty: none."


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
        self._lineups: dict[StreamName, Lineup] = {}
        "Of live streams."

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
        publication = Publication(self, stream, options, request, source, low_water, joined)
        self._lineups[stream.name] = Lineup(self.timers, publication)
        publication.go_on_air()
        return publication

    def begin(
        self,
        name: StreamName,
        options: PublishOptions,
        request: AccessRequest,
        source: Source,
        low_water: LowWater | None = None,
    ) -> Publication:
        """Begin a publish that the gate has admitted; write its media to `Publication.sink`.

        It stands by where one of the other role is on air. *low_water*: of a plain socket that carries nothing but this
        publish. Raises StreamBusyError when the name has a publisher of this role already, and no takeover is allowed.
        """
        lineup = self._lineups.get(name)
        if lineup is not None:
            # The end of the publish before may lie among what its socket gathers.
            lineup.on_air.stream.hasten()
        self.catch_up()
        lineup = self._lineups.get(name)
        if lineup is None:
            stream = self.hub.publish(name, options.stream, request.client_id, self.now_ms())
            self.graces.cancel(name)
            publication = Publication(self, stream, options, request, source, low_water)
            self._lineups[name] = Lineup(self.timers, publication)
            publication.go_on_air()
            return publication
        before = lineup.find(request.role)
        # A stream that is fetched gives way to one that is published here.
        gives_way = before is not None and before.request.own and not request.own
        if before is not None and not (options.takeover or gives_way):
            role = "" if before is lineup.on_air else f"{request.role.value} "
            raise StreamBusyError(
                f"stream {name.url} has a {role}publisher already, client {before.request.client_id}"
            )
        stream = lineup.on_air.stream
        if before is not lineup.on_air:
            stream.standby_id = request.client_id
        publication = Publication(self, stream, options, request, source, low_water)
        if before is lineup.on_air:
            lineup.replace(publication, Switch.TAKEOVER)
        else:
            publication.stand_by()
            lineup.stand_by(publication)
        if before is not None:
            before.yield_name()
        return publication

    def look(self, publication: Publication) -> None:
        """Media has come for *publication*, which is not on air."""
        lineup = self._lineups.get(publication.stream.name)
        if lineup is not None:
            lineup.look(publication)

    def part(self, publication: Publication) -> None:
        """Another process goes on with *publication*."""
        lineup = self._lineups.pop(publication.stream.name, None)
        if lineup is not None:
            lineup.close()

    def end(self, publication: Publication) -> None:
        """*publication* has ended: another one of its stream goes on, or players stay for the grace period."""
        stream = publication.stream
        lineup = self._lineups.get(stream.name)
        if lineup is not None and not lineup.remove(publication):
            del self._lineups[stream.name]
            self.hub.unpublish(stream, self.now_ms())
            self.graces.begin(stream, publication.request.peer)


class Publication:
    """One publish from its admission to its end. The source calls `begin_read` and `end_read` around its media, or does
    in C what they do (`_ext/ingest/feeds`), and calls `look`.

    On standby its media is kept instead of played (`_ext/ingest/inlet`), which its source need not know.
    """

    __slots__ = (
        "_client", "_doubted", "_fed", "_formats", "_gathering", "_keys", "_low_water", "_metadata", "_sent_before", "_settling",
        "_shared", "_source", "_watch", "began", "begins_here", "options", "request", "sink", "stream",
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
        self.request = request
        self.options = options
        self.began = now
        "Monotonic clock, seconds."
        self.sink = Inlet(stream.writer)
        "Takes media messages."
        self.begins_here = False
        "On standby: what has just come is a start for players."
        self._shared = shared
        self._source: Source | None = source
        "None once the publish has ended: the source holds the publication, and a cycle would keep its stream."
        self._sent_before = source.sent
        self._formats = 0
        self._keys = 0
        "Keyframes that came on standby, at the last look."
        self._metadata: tuple[bytes, int] | None = None
        "The newest on standby, with its time."
        self._fed = False
        "Some media has arrived."
        self._doubted = False
        "It seemed silent at the last look."
        self._settling: Handle | None = None
        self._low_water = low_water
        self._gathering: Gathering | None = None
        "On air, of a plain socket of its own."
        self._client: Client | None = Client(request, stream, self, now if joined is None else joined)
        shared.clients.add(self._client, resumed=joined is not None)
        self._watch = Deadline(shared.timers, self._silent, step=limits.WATCH_SECONDS_MIN)
        "Moved when it rings, by the media that has come."
        self._watch.set(self._patience)
        self.begin_read(now)

    # --- Link ---

    @property
    def sent(self) -> int:
        """Bytes sent to the publisher since this publish began."""
        return self._source.sent - self._sent_before if self._source is not None else 0

    @property
    def received(self) -> int:
        """Bytes of media received since this publish began."""
        return self.sink.bytes

    def drop(self, reason: EndReason) -> None:
        """Disconnect the publisher."""
        if self._source is not None:
            self._source.publication_dropped(self, reason)

    def yield_name(self) -> None:
        """Another publisher has taken the place of this one: disconnect it."""
        if self._client is not None:
            self._client.drop(EndReason.TAKEN_OVER)

    # --- on air and on standby ---

    @property
    def heard(self) -> float:
        """When media last came, monotonic clock, seconds; 0 before the first."""
        return self.sink.heard_ms / 1000

    def follow(self, before: Publication, why: Switch) -> None:
        """Go on air in the place of *before*, which has left it: with what is kept of this publication."""
        shared, sink = self._shared, self.sink
        now_ms = sink.heard_ms or shared.now_ms()
        left_ms = round(before.heard * 1000) or now_ms
        least_ms = max(limits.TIME_FIRST_STEP_MS, self.stream.writer.shown_ahead_ms)
        kept_ms = sink.fitted_ms(now_ms - left_ms - least_ms)
        shared.hub.switch(
            self.stream, self.request.client_id, why, left_ms=left_ms, now_ms=now_ms, kept_ms=kept_ms
        )
        self.go_on_air(kept_ms)
        sink.flush()
        self.look()

    def go_on_air(self, kept_ms: int = 0) -> None:
        """Players are sent this publication from now on; the stream has begun it. *kept_ms*: as `Inlet.fitted_ms`."""
        shared, stream = self._shared, self.stream
        stream.publisher = self.request
        self._formats = stream.writer.formats
        self._gather()
        if self._client is not None:
            shared.idle.watch(self._client, self.options.idle)
        metadata, self._metadata = self._metadata, None
        if metadata is not None:
            stream.take_data("onMetaData", *metadata)
        self.sink.go_on_air(kept_ms)

    def stand_by(self) -> None:
        """Keep from now on what a start on air needs."""
        stream = self.options.stream
        self._keys = 0
        self.sink.stand_by(bytes_max=stream.gop_bytes_max, pictures_max=stream.gop_frames_max)

    def leave_air(self) -> None:
        """Another publication is about to go on air."""
        if not self.sink.on_air:
            return
        if self._gathering is not None:
            self._gathering.wake()
        self._stop_gathering()
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        if self._client is not None:
            self._shared.idle.watch(self._client, 0)
        self.stream.writer.finish()
        self.stream.writer.flush()
        self.sink.close()

    # --- media ---

    @property
    def ended(self) -> bool:
        return self._client is None

    def begin_read(self, now: float) -> None:
        """Media that arrived at *now* (monotonic clock, seconds) is about to be written."""
        self.sink.now_ms = int(now * 1000)

    def take_script(self, name: str, payload: bytes, timestamp: int) -> None:
        """Take script data in its place among the media; *timestamp*: ms modulo 2**32. Standby keeps metadata alone."""
        if self.sink.on_air:
            self.stream.take_data(name, payload, timestamp)
        elif name == "onMetaData":
            self._metadata = payload, timestamp

    def end_read(self, *, inside: bool = False) -> None:
        """Publish what one read brought to the players, and `look` at it. *inside*: the read ended within a message."""
        self.sink.flush()
        if self._gathering is not None:
            self._gathering.end_read(inside=inside)
        self.look()

    def look(self) -> None:
        """Note the first media, and let players start once the tracks are known.

        Call it after each read until the writer is `settled`, whenever `formats` of the sink changes, and on standby.
        """
        sink = self.sink
        if not self._fed and sink.bytes:
            self._fed = True
            self._watch.set(self._patience)
        if not sink.on_air:
            self.begins_here = sink.keys != self._keys or not sink.has_pictures
            self._keys = sink.keys
            self._shared.look(self)
        elif not self.stream.settled:
            self._settle()
        elif sink.formats != self._formats:
            self._formats = sink.formats
            for why in self.stream.misfits():
                log.warning("tracks have changed: %s", why, extra=self._marks)

    def resume(self, bytes_before: int) -> None:
        """Go on with a publish of another process, which has brought media; *bytes_before*: of the stream before it."""
        self._fed = True
        self.sink.resume(self.stream.writer.bytes - bytes_before)
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
        return self.stream.writer.bytes - self.sink.bytes

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
        self.sink.close()
        self._shared.idle.watch(client, 0)
        self._shared.clients.part(client)
        self._shared.part(self)
        self._source = None

    def adopt(self, options: PublishOptions) -> None:
        """Take the settings of a new configuration."""
        if self._client is not None and self.sink.on_air and options.idle != self.options.idle:
            self._shared.idle.watch(self._client, options.idle)
        self.options = options
        self._watch.set(self._patience, since=max(self._watch.heard, self._alive))

    def read_from(self, low_water: LowWater | None) -> None:
        """Another socket brings the media from now on: *low_water* as `Publications.begin` has it."""
        self._stop_gathering()
        self._low_water = low_water
        if self.sink.on_air:
            self._gather()

    def gather_no_more(self) -> None:
        """The socket carries other publishes too: it must wake the loop for each byte."""
        if self._gathering is not None:
            self._gathering.wake()
        self._stop_gathering()
        self._low_water = None

    def end(self, reason: EndReason) -> None:
        """End the publish; players stay for the grace period. No harm when it has ended."""
        client, self._client = self._client, None
        if client is None:
            return
        shared = self._shared
        self._watch.cancel()
        self.leave_air()
        self.sink.close()
        shared.clients.remove(client, reason, shared.timers.time())
        self._source = None
        shared.end(self)

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
        return self.options.silence if self._fed else self.options.first_media

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

    def _gather(self) -> None:
        if self._low_water is not None:
            self._gathering = Gathering(self.stream, self._low_water)
            self._shared.gatherings.add(self._gathering)

    def _stop_gathering(self) -> None:
        gathering, self._gathering = self._gathering, None
        if gathering is not None:
            self._shared.gatherings.remove(gathering)
            gathering.forget()
