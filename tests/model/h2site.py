"""An HTTP/2 connection of the server and its client, without sockets: time passes, and bytes move, when the test says so."""

from __future__ import annotations

from typing import Any

from model.h2peer import Answer, H2Peer
from model.loop import FakeLoop, FakeTransport, Unhurried

from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.networkset import NetworkSet
from fastflv.net.peer import Peer
from fastflv.protocols.http.crossdomain import NONE
from fastflv.protocols.http.exchange import BodyWriter, Exchange
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.http.h2connection import H2Connection


class Line(FakeTransport):
    """A transport with a receiving side."""

    reading = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Turned(Unhurried):
    """Turns whose time is used up when the test says so."""

    busy = False

    def open(self) -> bool:
        return not self.busy


class H2Site:
    """Its handler leaves each exchange to the test."""

    trusted = NetworkSet(())

    def __init__(self, *, files: Any = None, **more: int) -> None:
        """*more*: windows of the client."""
        self.loop = FakeLoop()
        self.limit = ConnectionLimit(1)
        assert self.limit.take(0, "192.0.2.1")
        self.exchanges: dict[str, Exchange] = {}
        "By path."
        self.client = H2Peer(**more)
        peer = Peer("192.0.2.1", "192.0.2.1", secure=True)
        self.turns = Turned(self.loop)  # type: ignore[arg-type]
        self.connection = H2Connection(self.loop, self, self.limit, peer, self.turns, files)  # type: ignore[arg-type]
        self.line = Line(self.loop)
        self.line.owner = self.connection
        self._passed = 0
        self.connection.connection_made(self.line)  # type: ignore[arg-type]
        self.go()

    def cross_domain(self, request: Request) -> Any:
        return NONE

    def __call__(self, exchange: Exchange) -> None:
        if exchange.request.path == "/fail":
            raise RuntimeError("as asked")
        self.exchanges[exchange.request.path] = exchange

    # --- bytes ---

    def go(self) -> None:
        """Pass on what both have to say, until neither says more. What the transport holds stays there."""
        while True:
            self.loop.turn()
            data = self.client.take()
            if data and not self.line.gone:
                self.connection.data_received(data)
                self.loop.turn()
            if self.line.room:
                self.line.read = len(self.line.wire)
            fresh = bytes(self.line.wire[self._passed : self.line.read])
            self._passed = self.line.read
            if fresh:
                self.client.feed(fresh)
            elif not data:
                return

    def hold(self) -> None:
        """Have the client read nothing from now on, but by `read`; its socket has no room."""
        self.line.room = 0

    def read(self) -> None:
        """Have the client read what waits in its socket, and what comes then."""
        while len(self.line.wire) > self._passed:
            self.line.peer_reads()
            self.go()

    def pass_time(self, seconds: float) -> None:
        self.loop.advance(seconds)
        self.go()

    def lose(self) -> None:
        self.connection.connection_lost(None)
        self.loop.turn()

    # --- requests ---

    def ask(
        self, path: str, method: str = "GET", *more: tuple[str, str], **body: Any
    ) -> tuple[Exchange, Answer]:
        """Ask; return both ends of the exchange."""
        stream = self.client.ask(path, method, *more, **body)
        self.go()
        return self.exchanges[path], self.client.answers[stream]

    def play(self, path: str) -> tuple[Player, Answer]:
        """Begin a live answer."""
        exchange, answer = self.ask(path)
        writer = exchange.respond_stream(Response(content_type="video/x-flv"), buffer=1, idle=None)
        assert writer is not None
        self.go()
        return Player(writer, exchange), answer


class Player:
    """Writes as a live player does, and notes when it has to wait."""

    def __init__(self, writer: BodyWriter, exchange: Exchange) -> None:
        self.writer = writer
        self.waits = False
        self.lost = 0
        writer.on_full = lambda: self._wait(True)
        writer.on_drain = lambda: self._wait(False)
        exchange.on_lost = self._lose

    def _wait(self, waits: bool) -> None:
        assert waits != self.waits
        self.waits = waits

    def _lose(self) -> None:
        self.lost += 1
