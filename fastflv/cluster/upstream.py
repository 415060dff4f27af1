"""Upstreams: one connection to an origin each, which brings one stream.

What comes is held until a publication takes it: so a second upstream can be compared with what players have, before
it takes the place of the first.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from time import perf_counter
from typing import NamedTuple, Protocol

from fastflv import limits
from fastflv._ext.ingest.lowwater import LowWater
from fastflv._ext.ingest.readpace import ReadPace
from fastflv._ext.ingest.sink import CollectSink
from fastflv.cluster.address import SECURE, OriginAddress, UpstreamUrl
from fastflv.cluster.remote import fault_of, load_tls
from fastflv.errors import PeerError
from fastflv.media.codecs import SCRIPT, VIDEO
from fastflv.net.deadline import Deadline
from fastflv.net.receivebuffer import receive_buffer
from fastflv.net.turns import Turns
from fastflv.servers.rtmp.feed import Feeding
from fastflv.stream.publication import Publication

log = logging.getLogger(__name__)


class FaultKind(Enum):
    """What the end of an upstream says about its origin."""

    UNREACHABLE = "unreachable"
    "No connection, no answer in time, or a connection that was lost."

    ABSENT = "absent"
    "The origin does not have the stream, or no longer."

    REFUSED = "refused"
    "The origin does not let this server, or the viewer whose parameters it has, play."

    CLOSED = "closed"
    "The origin has closed the connection without media: it refuses, as SRS does, or is about to stop."

    MOVED = "moved"
    "The origin names another place: `Fault.why` is its URL."

    BROKEN = "broken"
    "What came is not the protocol, or leads nowhere."


class Fault(NamedTuple):
    """Why an upstream is over."""

    kind: FaultKind
    why: str
    "One clause; the URL where the stream has moved."


class Held(NamedTuple):
    """A message that waits for a publication."""

    kind: int
    "8 audio, 9 video, 18 script data."

    timestamp: int
    "ms modulo 2**32."

    body: bytes

    name: str = ""
    "Of script data."

    @property
    def is_key(self) -> bool:
        """Whether it is a picture that a stream may begin with (E.4.3.1; Enhanced RTMP has three bits of frame type)."""
        if self.kind != VIDEO or len(self.body) < 2 or self.body[0] >> 4 & 7 != 1:
            return False
        # Sequence headers have the frame type of a keyframe.
        return self.body[0] & 15 != 0 if self.body[0] & 0x80 else self.body[1] == 1


class UpstreamOwner(Protocol):
    """What an upstream tells."""

    def upstream_media(self, upstream: Upstream) -> None:
        """A read has brought messages that are held."""

    def upstream_over(self, upstream: Upstream, fault: Fault) -> None:
        """Nothing more comes; called once, and not after `close`."""


@dataclass(slots=True)
class Dialer:
    """What all upstreams of a server share."""

    loop: asyncio.AbstractEventLoop
    turns: Turns
    feeding: Feeding
    "Reads the sockets of RTMP upstreams."
    about: Mapping[str, str | float]
    "What RTMP origins are told about this server where `debug_srs_upnode` is on."
    buffer: memoryview = field(default_factory=receive_buffer)


class Upstream(ABC, asyncio.BufferedProtocol):
    """One attempt to have a stream from one origin; redirects are followed by connections of their own.

    Call `open`, then `attach` once the messages in `held` have a publication, and `close` at the end.
    """

    def __init__(
        self, dialer: Dialer, owner: UpstreamOwner, url: UpstreamUrl, origin: OriginAddress, hops: int = 0
    ) -> None:
        """*origin*: the one of the configuration, from which *hops* redirects led here."""
        self.url = url
        self.origin = origin
        self.hops = hops
        self.held: list[Held] = []
        self.received = 0
        "Bytes of the connection."
        self.sent = 0
        self.address = ""
        "Of the origin, as the socket has it; empty before the connection."
        self._dialer = dialer
        self._owner: UpstreamOwner | None = owner
        self._transport: asyncio.Transport | None = None
        self._dialing: asyncio.Task[None] | None = None
        self._pace = ReadPace()
        self._deadline = Deadline(dialer.turns, self._expire)
        self._publication: Publication | None = None
        self.keep_seconds = 0.0
        "Of a warm upstream: how much of what came it keeps, from the keyframe before on; 0: all."
        self._places: deque[tuple[float, int]] = deque()
        "Where media of `held` may begin: when it came (monotonic clock, seconds), and how many messages came before."
        self._forgotten = 0
        "Messages that came before those in `held`."
        self._has_pictures = False
        self._collected = CollectSink()
        self._held_bytes = 0

    _speaks_first = True
    "Origins answer before they look for the stream."

    # --- the owner's side ---

    @property
    def attached(self) -> bool:
        return self._publication is not None

    @property
    def is_mute(self) -> bool:
        """The origin should have said something by now, and has not."""
        return self.received == 0 and self._speaks_first

    @property
    def has_media(self) -> bool:
        """The origin has sent some of the stream."""
        return self.attached or bool(self.held) or self._forgotten > 0

    @property
    def is_secure(self) -> bool:
        return self.url.origin.scheme in SECURE

    def open(self) -> None:
        """Connect."""
        self._deadline.set(limits.UPSTREAM_ANSWER_SECONDS)
        self._dialing = self._dialer.loop.create_task(self._dial())

    def attach(self, owner: UpstreamOwner, publication: Publication) -> None:
        """Give what comes from here on to *publication*, and tell *owner* of the end; messages in `held` are its own."""
        self._owner = owner
        self._publication = publication
        self.held = []
        self._held_bytes = 0
        self._aim(publication)
        publication.read_from(self._open_feed(publication))

    def close(self) -> None:
        """Say no more, and close the connection."""
        self._owner = None
        self._publication = None
        self.held = []
        self._deadline.cancel()
        if self._dialing is not None:
            self._dialing.cancel()
        if self._transport is not None:
            self._close_feed()
            self._transport.close()

    # --- what each protocol does ---

    @abstractmethod
    def _connected(self) -> None:
        """The connection is there: ask for the stream."""

    @abstractmethod
    def _receive(self, data: memoryview) -> None:
        """Take what came, borrowed for this call. Raises PeerError."""

    @abstractmethod
    def _aim(self, publication: Publication) -> None:
        """Send media to the sink of *publication*."""

    @abstractmethod
    def _ended(self) -> Fault:
        """The origin has closed the connection: what that means."""

    def _open_feed(self, publication: Publication) -> LowWater | None:
        """Have a feed read the socket for *publication*, where there is a way; return its mark."""
        return None

    @property
    def _is_fed(self) -> bool:
        """A feed reads the socket, and the transport does not."""
        return False

    def _close_feed(self) -> None:
        """Have the transport read again."""

    @property
    def _inside(self) -> bool:
        """The bytes so far end within a message."""
        return False

    # --- for each protocol ---

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self.sent += len(data)
            self._transport.write(data)

    def _answered(self) -> None:
        """The origin has answered: the rest may take as long as it takes."""
        self._deadline.clear()

    def _script(self, name: str, timestamp: int, body: bytes) -> None:
        """Take script data in its place among the media."""
        if self._publication is not None:
            self._publication.take_script(name, body, timestamp)
        else:
            self._keep()
            self._hold(Held(SCRIPT, timestamp, body, name))

    def _over(self, fault: Fault) -> None:
        """The upstream is over: tell the owner once."""
        owner = self._owner
        self.close()
        if owner is not None:
            owner.upstream_over(self, fault)

    # --- connecting ---

    async def _dial(self) -> None:
        origin = self.url.origin
        try:
            tls = await load_tls(self._dialer.loop) if origin.scheme in SECURE else None
            await self._dialer.loop.create_connection(
                lambda: self, origin.host, origin.port, ssl=tls, server_hostname=origin.host if tls else None
            )
        except (OSError, UnicodeError) as error:
            self._dialing = None
            self._over(Fault(FaultKind.UNREACHABLE, fault_of(error)))
        else:
            self._dialing = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        name = transport.get_extra_info("peername")
        self.address = str(name[0]) if isinstance(name, tuple) else ""
        if self._owner is None:
            transport.close()
        else:
            self._connected()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._dialer.buffer[: self._pace.room]

    def buffer_updated(self, nbytes: int) -> None:
        if self._owner is None:
            return
        began = perf_counter()
        self.received += nbytes
        publication, now = self._publication, self._dialer.loop.time()
        if publication is not None:
            publication.begin_read(now)
        try:
            self._receive(self._dialer.buffer[:nbytes])
        except PeerError as error:
            self._over(Fault(FaultKind.BROKEN, str(error)))
            return
        if publication is not None:
            if not publication.ended:
                publication.end_read(inside=self._inside)
        elif self._owner is not None:
            self._keep()
            if self.held:
                self._owner.upstream_media(self)
        if (
            self._transport is not None
            and not self._transport.is_closing()
            and not self._is_fed
            and self._pace.spent(nbytes, began, perf_counter())
        ):
            self._transport.pause_reading()
            self._dialer.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing() and not self._is_fed:
            self._transport.resume_reading()

    def eof_received(self) -> bool:
        if self._owner is not None:
            self._over(self._ended())
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._owner is not None:
            self._over(self._ended())

    def _expire(self) -> None:
        self._over(Fault(FaultKind.UNREACHABLE, "no answer in time"))

    # --- holding ---

    def _keep(self) -> None:
        """Move what the reader has collected to `held`."""
        for kind, timestamp, body in self._collected.messages:
            self._hold(Held(kind, timestamp, body))
        self._collected.messages.clear()

    def _hold(self, held: Held) -> None:
        now, places = self._dialer.loop.time(), self._places
        self._has_pictures = self._has_pictures or held.kind == VIDEO
        sound_place = not self._has_pictures and (
            not places or now - places[-1][0] > limits.PULL_PLACE_SECONDS
        )
        if held.is_key or sound_place:
            places.append((now, self._forgotten + len(self.held)))
        self.held.append(held)
        self._held_bytes += len(held.body)
        while len(places) > 1 and (
            (self.keep_seconds and places[1][0] < now - self.keep_seconds)
            or self._held_bytes > limits.PULL_HELD_BYTES_MAX
        ):
            places.popleft()
            self._forget_before(places[0][1])
        if self._held_bytes > limits.PULL_HELD_BYTES_MAX:
            places.clear()
            self._forget_before(self._forgotten + len(self.held))

    def _forget_before(self, place: int) -> None:
        """Forget the messages before the one that *place* others came before."""
        count = place - self._forgotten
        self._held_bytes -= sum(len(held.body) for held in self.held[:count])
        self._forgotten = place
        del self.held[:count]
