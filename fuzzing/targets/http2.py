"""Connections of HTTP/2: whatever frames come in whatever pieces is answered or refused, and each request ends once.

The first byte of an input gives the size of the pieces; what follows stands behind the preface of a client.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, cast

from h2.config import H2Configuration
from h2.connection import H2Connection as Library
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.networkset import NetworkSet
from fastflv.net.peer import Peer
from fastflv.protocols.http.crossdomain import NONE, CrossDomain
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.h2 import H2, PREFACE, Event
from fastflv.protocols.http.h2budget import Fault
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.http.h2connection import H2Connection
from fuzzing.standins import Clock, Wire

ADDRESS = "192.0.2.1"
PEER = Peer(ADDRESS, ADDRESS, secure=True)
SETTINGS = SettingsFrame(0, {4: 1 << 20}).serialize()
LONG = bytes(range(256)) * 300


def head(method: str, path: str, stream: int, *flags: str, **more: str) -> bytes:
    """One request as a client begins it."""
    fields = {":method": method, ":scheme": "https", ":authority": "a", ":path": path, **more}
    block = Library(H2Configuration(client_side=True)).encoder.encode(list(fields.items()))
    return HeadersFrame(stream, block, flags=("END_HEADERS", *flags)).serialize()


def tunnel(stream: int) -> bytes:
    fields = {":protocol": "websocket", "sec-websocket-version": "13"}
    return head("CONNECT", "/tunnel", stream, **fields)


def frames(*found: Frame) -> bytes:
    return b"".join(frame.serialize() for frame in found)


GET = head("GET", "/", 1, "END_STREAM")
SEEDS = (
    b"\xff" + GET + head("HEAD", "/long", 3, "END_STREAM"),
    b"\0" + head("POST", "/", 1) + frames(DataFrame(1, b"body"), DataFrame(1, b"", flags=("END_STREAM",))),
    b"\x20" + head("GET", "/live", 1, "END_STREAM") + frames(WindowUpdateFrame(1, 9), RstStreamFrame(1, 8)),
    b"\x07"
    + GET
    + frames(PingFrame(0, b"12345678"), PriorityFrame(1, 3, 1), SettingsFrame(0, {4: 10, 5: 20000})),
    b"\x40" + head("GET", "/long", 1, "END_STREAM") + frames(WindowUpdateFrame(0, 1 << 20), GoAwayFrame(0)),
    b"\x10" + tunnel(1) + frames(DataFrame(1, b"\x82\x81abcdx"), DataFrame(1, b"", flags=("END_STREAM",))),
    b"\xff" + HeadersFrame(1, b"\x82", flags=()).serialize() + ContinuationFrame(1, b"\x84").serialize(),
    b"\xff"
    + head("PUT", "/never", 1, **{"content-length": "9", "expect": "100-continue"})
    + frames(DataFrame(1, b"123")),
)
WORDS = (
    GET, head("GET", "/live", 3, "END_STREAM"), tunnel(5), frames(PingFrame(0, b"12345678")), frames(RstStreamFrame(1, 8)),
    frames(WindowUpdateFrame(0, 1000)), frames(WindowUpdateFrame(1, 1000)), frames(SettingsFrame(0, {4: 0})),
    frames(DataFrame(1, b"abc")), frames(DataFrame(5, b"abc", pad_length=3, flags=("PADDED",))), frames(GoAwayFrame(0)),
    b"\0\0\0\0\1\0\0\0\1", b"\0\0\0\x09\4\0\0\0\1", b"\0\0\1\1\5\0\0\0\7\x82", b"\0\x40\1", b"\x82\x84\x87\x41\1a",
)  # fmt: skip


class Loop(Clock):
    """What is called soon is called by `turn`."""

    def __init__(self) -> None:
        self._soon: deque[Callable[[], object]] = deque()

    def call_soon(self, call: Callable[..., object], *args: object) -> None:
        self._soon.append(lambda: call(*args))

    def queue(self, call: Callable[[], object]) -> None:
        self._soon.append(call)

    def turn(self) -> None:
        while self._soon:
            self._soon.popleft()()


class Line(Wire):
    """A transport without a kernel behind it."""

    def pause_reading(self) -> None:
        """Input comes all the same."""

    resume_reading = pause_reading

    def set_write_buffer_limits(self, high: int) -> None:
        """It takes all."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self if name == "socket" else default

    def fileno(self) -> int:
        return -1


class Asked:
    """One request, answered by its path; it ends once."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.ends = 0
        exchange.on_lost = self.lost

    def lost(self) -> None:
        self.ends += 1

    def data(self, chunk: bytes) -> None:
        assert chunk

    def ended(self, whole: bool) -> None:
        self.ends += 1
        if whole:
            self.exchange.on_lost = None
            self.exchange.respond(Response.of_text(200, "taken"))

    # --- an upgraded protocol ---

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data[::-1])
        if b"x" in data:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ends += 1

    def pause_writing(self) -> None:
        """It writes on."""

    resume_writing = pause_writing


class Site:
    """Answers at once, later, bit by bit, or never."""

    trusted = NetworkSet(())

    def __init__(self) -> None:
        self.open: list[Asked] = []

    def cross_domain(self, request: Request) -> CrossDomain:
        return NONE

    def __call__(self, exchange: Exchange) -> None:
        path = exchange.request.path
        asked = Asked(exchange)
        if exchange.request.upgrade:
            exchange.on_lost = None
            assert exchange.upgrade(cast(Any, asked), {"Server": "a"})
            self.open.append(asked)
        elif path == "/never":
            self.open.append(asked)
        elif exchange.request.length != 0:
            exchange.on_lost = None
            exchange.read(cast(Any, asked))
            self.open.append(asked)
        elif path == "/live":
            writer = exchange.respond_stream(Response(), buffer=1, idle=None)
            assert writer is not None
            writer.write(LONG)
            self.open.append(asked)
        else:
            exchange.on_lost = None
            exchange.respond(Response(body=LONG if path == "/long" else b"short"))


def read(wire: bytes, step: int) -> tuple[list[Event], Fault | None]:
    """Read *wire* in pieces, without an answer; return what was read, and why no more is."""
    h2 = H2(PEER)
    for at in range(0, len(wire), step):
        h2.feed(wire[at : at + step])
        while h2.read(1000.0):
            pass
    assert h2.fault is None or h2.take(), "no GOAWAY"
    return list(h2.events), h2.fault


def run(wire: bytes, step: int) -> None:
    """Answer what is asked in *wire*; each request ends once."""
    loop, site, limit, line = Loop(), Site(), ConnectionLimit(1), Line()
    assert limit.take(0, ADDRESS)
    connection = H2Connection(cast(Any, loop), site, limit, PEER, cast(Any, loop), cast(Any, None))
    connection.connection_made(cast(Any, line))
    for at in range(0, len(wire), step):
        if line.is_closing():
            break
        connection.data_received(wire[at : at + step])
        loop.turn()
    connection.connection_lost(None)
    loop.turn()
    assert all(asked.ends == 1 for asked in site.open), "a request ends not once"
    assert not limit.taken, "a place of the limit stays"


def check(data: bytes) -> object:
    """Raise for a finding."""
    if not data:
        return None
    wire, step = PREFACE + SETTINGS + data[1:], 1 + data[0]
    whole = read(wire, len(wire))
    assert read(wire, step) == whole, "pieces make a difference"
    run(wire, step)
    return whole
