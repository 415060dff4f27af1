"""Raw FLV over TCP: a connection is a publish, and the server gives it the next number as its name.

ffmpeg -re -i clip.mp4 -c copy -f flv tcp://host:8888
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from fastflv import limits
from fastflv._ext.ingest.lowwater import LowWater
from fastflv._ext.ingest.readpace import ReadPace
from fastflv.access.request import AccessRequest, Action
from fastflv.containers.flv.header import HEADER_BYTES, SIGNATURE
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.deadline import Deadline
from fastflv.net.ip import canonical
from fastflv.net.peer import Peer
from fastflv.net.quiet import QuietSockets
from fastflv.net.receivebuffer import receive_buffer
from fastflv.servers.push.intake import Intake, Intakes
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.pendingpublish import PublishRefused

log = logging.getLogger(__name__)

SCHEME = "tcp"


@dataclass(frozen=True, slots=True)
class TcpPlace:
    """Where the streams of a listener go."""

    vhost: str
    app: str


class FlvTcpServer:
    """Makes connections, and numbers their streams in the order in which their headers came."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        intakes: Intakes,
        limit: ConnectionLimit,
        quiet: QuietSockets,
        *,
        place: Callable[[], TcpPlace | None],
    ) -> None:
        """*quiet*: of the loop. *place* returns the present one; None: the vhost is not served, or `flv_tcp` is off."""
        self.loop = loop
        self.intakes = intakes
        self.limit = limit
        self.quiet = quiet
        self.place = place
        self._next = 0
        self.buffer = receive_buffer()

    def connect(self, peer: Peer) -> FlvTcpConnection:
        """Make the protocol of an accepted connection, which holds one place of the limit."""
        return FlvTcpConnection(self, peer)

    def next_name(self, place: TcpPlace) -> StreamName:
        """Return the name of the next stream: the next number that no stream has."""
        hub = self.intakes.publications.hub
        while True:
            name = StreamName(place.vhost, place.app, str(self._next))
            self._next += 1
            if hub.find(name) is None:
                return name


def _local(transport: asyncio.Transport) -> str:
    """The address that the publisher called, as a URL has it."""
    host, port = transport.get_extra_info("sockname")[:2]
    host = canonical(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class FlvTcpConnection(asyncio.BufferedProtocol):
    """One publisher. The gate is asked once its FLV header came; until the answer the socket is not read."""

    def __init__(self, server: FlvTcpServer, peer: Peer) -> None:
        self._server = server
        self._peer = peer
        self._view = server.buffer
        self._pace = ReadPace()
        self._transport: asyncio.Transport | None = None
        self._intake: Intake | None = None
        "None before the FLV header."
        self._head = b""
        "What came before the gate has admitted the publish."
        self._held = False
        "The gate is asked, or script data waits for a turn of the loop."
        self._ended = False
        self._deadline = Deadline(server.intakes.turns, self._expire)

    # --- to another process ---

    @property
    def carried(self) -> tuple[asyncio.Transport, Peer] | None:
        """Its transport and peer, where nothing of it waits; else None."""
        transport = self._transport
        if transport is None or transport.is_closing() or self._held or self._head or self._ended:
            return None
        if transport.get_extra_info("ssl_object") is not None:
            return None
        return transport, self._peer

    def part(self) -> None:
        """Another process goes on with the socket: free what this one holds. Nothing is sent."""
        transport, self._transport = self._transport, None
        self._intake = None
        assert transport is not None
        self._server.limit.release(self._peer.socket_ip)
        transport.set_protocol(asyncio.Protocol())
        # Closing a descriptor that has a duplicate sends nothing.
        transport.abort()

    def go_on(self, request: AccessRequest, name: StreamName) -> tuple[Intake, LowWater]:
        """Go on with a publish that another process has handed over; return the intake, and the mark of its socket."""
        assert self._transport is not None
        self._deadline.cancel()
        self._forget()
        low_water = LowWater(self._transport.get_extra_info("socket").fileno())
        self._intake = Intake(self._server.intakes, self, request, name, low_water=low_water)
        return self._intake, low_water

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._server.quiet.heard(transport)  # type: ignore[arg-type]
        self._deadline.set(limits.HANDSHAKE_SECONDS)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view[: self._pace.room]

    def buffer_updated(self, nbytes: int) -> None:
        data = self._view[:nbytes]
        if self._ended or self._transport is None:
            return
        if self._intake is None:
            self._read_header(bytes(data))
            return
        if self._held:
            # One read may come behind a pause.
            self._head += data
            return
        began = perf_counter()
        self._intake.feed(data)
        if self._pace.spent(nbytes, began, perf_counter()) and not self._held and not self._ended:
            self._transport.pause_reading()
            self._server.loop.call_soon(self._read_on)

    def eof_received(self) -> bool:
        if self._intake is None:
            self._close("it ended before its FLV header did")
        elif not self._ended:
            self._intake.finish()
            self._shut()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        try:
            if self._intake is not None:
                self._intake.cancel()
        finally:
            self._deadline.cancel()
            self._forget()
            self._transport = None
            self._server.limit.release(self._peer.socket_ip)

    # --- the header ---

    def _read_header(self, data: bytes) -> None:
        self._head += data
        if not SIGNATURE.startswith(self._head[: len(SIGNATURE)]):
            self._close("its first bytes are no FLV header of version 1")
        elif len(self._head) >= HEADER_BYTES:
            self._ask()

    def _ask(self) -> None:
        """Ask the gate for the next name."""
        self._deadline.cancel()
        server, peer = self._server, self._peer
        place = server.place()
        if place is None:
            self._close("flv_tcp is off, or its vhost is not served")
            return
        assert self._transport is not None
        self._forget()
        name = server.next_name(place)
        request = AccessRequest(
            action=Action.PUBLISH,
            peer=peer,
            client_id=peer.id,
            vhost=name.vhost,
            app=name.app,
            stream=name.stream,
            output="flv-publish",
            scheme=SCHEME,
            tc_url=f"{SCHEME}://{_local(self._transport)}/{name.app}",
        )
        low_water = LowWater(self._transport.get_extra_info("socket").fileno())
        self._intake = Intake(server.intakes, self, request, name, low_water=low_water)
        self.pause()
        self._intake.begin()

    # --- Carrier ---

    @property
    def sent(self) -> int:
        return 0

    def admitted(self) -> None:
        self.resume()

    def refused(self, refused: PublishRefused) -> None:
        # The line of the log is that of the gate: there is no way to tell the peer.
        self._shut()

    def failed(self, why: str) -> None:
        self._shut()

    def dropped(self, reason: EndReason) -> None:
        self._shut()

    def pause(self) -> None:
        self._held = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        self._held = False
        # What was held is fed by the loop: this may be called within a read.
        self._server.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._transport is None or self._ended or self._held:
            return
        head, self._head = self._head, b""
        if head and self._intake is not None:
            self._intake.feed(head)
        if not self._held and not self._ended and not self._transport.is_closing():
            self._transport.resume_reading()

    # --- closing ---

    def _forget(self) -> None:
        if self._transport is not None:
            self._server.quiet.forget(self._transport)

    def _expire(self) -> None:
        self._close(f"no FLV header within {limits.HANDSHAKE_SECONDS:g} s")

    def _close(self, why: str) -> None:
        """Close a connection that never was a publish."""
        if not self._ended:
            log.info("flv_tcp %s closed: %s", self._peer.ip, why, extra=self._peer.marks)
            self._shut()

    def _shut(self) -> None:
        self._ended = True
        self._head = b""
        self._deadline.cancel()
        if self._transport is not None:
            # Nothing is ever written, so nothing waits to be sent.
            self._transport.abort()
