"""FLV byte streams of publishers by WebSocket and over TCP: whatever comes in whatever pieces is published or ends the publish.

The first byte of an input gives the size of the pieces, the second the carrier. What follows are the bytes of a TCP connection,
those of a WebSocket behind its handshake, or those of binary messages that are built of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from fastflv.access.gate import Gate
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.peer import Peer
from fastflv.net.quiet import QuietSockets
from fastflv.protocols.http.h1 import H1
from fastflv.protocols.http.message import Request
from fastflv.servers.http.websocket import Handshake
from fastflv.servers.http.websocketpublish import WebSocketPublish
from fastflv.servers.push.intake import Intakes
from fastflv.servers.push.tcp import FlvTcpServer, TcpPlace
from fastflv.stream.clients import Clients
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.publication import Publications, PublishOptions
from fuzzing.standins import Answers, Clock, Wire
from fuzzing.targets.websocket import LINES, MASK

NAME = StreamName("v", "live", "a")
HEADER = b"FLV\1\5\0\0\0\x09\0\0\0\0"
SCRIPT = b"\x12\0\0\x0d\0\0\0\0\0\0\0\2\0\5onFoo\2\0\2ab\0\0\0\x18"
VIDEO = b"\x09\0\0\x0b\0\0\0\0\0\0\0\x17\1\0\0\0\0\0\0\2\x65a\0\0\0\x16"
SOUND = b"\x08\0\0\4\0\0\x14\0\0\0\0\xaf\1ab\0\0\0\x0f"
MEDIA = HEADER + SCRIPT + VIDEO + SOUND


def message(data: bytes) -> bytes:
    """One binary message as a client sends it."""
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x82" + size + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(data))


SEEDS = (
    b"\xff\0" + MEDIA,
    b"\0\0" + HEADER + SCRIPT * 3 + VIDEO,
    b"\4\0" + MEDIA + b"GET / HTTP/1.1\r\n",
    b"\xff\1" + message(MEDIA),
    b"\2\1" + message(MEDIA) + b"\x88\x82" + MASK + bytes([3 ^ 1, 0xE8 ^ 2]),
    b"\xff\1" + message(HEADER) + b"\x89\x80" + MASK + message(VIDEO) + b"\x81\x81" + MASK + b"a",
    b"\x10\2" + MEDIA * 2,
    b"\xff\2" + HEADER + b"\x15" + bytes(20),
)
WORDS = (
    HEADER, SCRIPT, VIDEO, SOUND, b"\x12\0\0", b"\x09\0\0", b"\x09\xff\xff\xff", b"\x29", b"\x82\x80" + MASK, b"\x02\x80" + MASK,
    b"\x80\x80" + MASK, b"\x88\x80" + MASK, b"\x89\x80" + MASK, b"\x81\x81" + MASK, b"FLV\1\5\xff\xff\xff\xff",
)  # fmt: skip


class Loop(Clock):
    """What is called soon is called at once."""

    def call_soon(self, call: Any, *args: object) -> Clock:
        call(*args)
        return self


class Line(Wire):
    """A transport with a receiving side."""

    reading = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: object = None) -> object:
        if name == "sockname":
            return ("192.0.2.2", 8888)
        return SimpleNamespace(setsockopt=lambda *words: None, fileno=lambda: -1)


class Greeted(Answers):
    """An exchange that hands its connection over."""

    line: Line
    left: Callable[[], None]

    @property
    def leave(self) -> Callable[[], None]:
        return self.left

    def upgrade(self, protocol: Any, fields: dict[str, str]) -> bool:
        protocol.connection_made(self.line)
        return True


class Site:
    """A server's publications, and the limit that counts connections."""

    def __init__(self) -> None:
        self.loop = cast(Any, Loop())
        ids = map(str, itertools.count())
        self.hub = Hub(lambda: next(ids))
        self.publications = Publications(self.loop, self.hub, Clients(), Gate(lambda vhost: ()))
        self.intakes = Intakes(self.publications, self.loop, lambda vhost: PublishOptions())
        self.limit = ConnectionLimit(1)
        assert self.limit.take()
        self.line = Line()

    def over_tcp(self, wire: bytes, step: int) -> None:
        place = TcpPlace(NAME.vhost, NAME.app)
        server = FlvTcpServer(
            self.loop, self.intakes, self.limit, QuietSockets(self.loop), place=lambda: place
        )
        connection = server.connect(Peer("192.0.2.1", "192.0.2.1"))
        connection.connection_made(cast(Any, self.line))
        for at in range(0, len(wire), step):
            if self.line.is_closing():
                break
            assert self.line.reading
            piece = wire[at : at + step]
            connection.get_buffer(-1)[: len(piece)] = piece
            connection.buffer_updated(len(piece))
        if not self.line.is_closing():
            connection.eof_received()
        connection.connection_lost(None)

    def by_websocket(self, wire: bytes, step: int) -> None:
        h1 = H1(Peer("192.0.2.1", "192.0.2.1"))
        h1.feed(b"GET /a.flv?publish HTTP/1.1\r\nHost: a\r\n" + b"\r\n".join(LINES) + b"\r\n\r\n")
        request = next(iter(h1.events))
        assert isinstance(request, Request)
        exchange = Greeted(request)
        exchange.line = self.line
        exchange.left = self.limit.release
        connection = WebSocketPublish.begin(self.intakes, exchange, NAME, Handshake(request))
        for at in range(0, len(wire), step):
            if self.line.is_closing():
                break
            connection.data_received(wire[at : at + step])
        connection.connection_lost(None)


def run(wire: bytes, step: int, *, tcp: bool) -> tuple[bytes, int]:
    """Return what the publisher was answered, and how much media it published."""
    site = Site()
    heads = []
    ended = site.hub.unpublish

    def unpublish(stream: Any, now_ms: int) -> None:
        heads.append(stream.log.head)
        ended(stream, now_ms)

    site.hub.unpublish = unpublish  # type: ignore[method-assign]
    (site.over_tcp if tcp else site.by_websocket)(wire, step)
    assert not len(site.publications.clients), "a client stays"
    assert site.limit.take(), "a place of the limit stays"
    assert len(heads) <= 1
    return bytes(site.line.written), sum(heads)


def check(data: bytes) -> None:
    if len(data) < 2:
        return
    tcp = data[1] % 3 == 0
    wire = data[2:]
    if data[1] % 3 == 2:
        wire = b"".join(message(wire[at : at + 97]) for at in range(0, len(wire), 97))
    answer, media = run(wire, len(wire) or 1, tcp=tcp)
    again, same = run(wire, data[0] + 1, tcp=tcp)
    # A fault in the read at hand is told before pings of that read are answered, and one fault of several is named.
    assert (heads_of(answer)[-1:], media) == (heads_of(again)[-1:], same)
    assert not (tcp and answer), "raw FLV is never answered"
    if answer:
        # Control frames alone, none of them masked.
        assert all(head in (0x88, 0x8A) for head in heads_of(answer))


def heads_of(answer: bytes) -> list[int]:
    """The first byte of each frame."""
    found = []
    while answer:
        assert answer[1] <= 125
        found.append(answer[0])
        answer = answer[2 + answer[1] :]
    assert 0x88 not in found[:-1], "a frame behind the close frame"
    return found
