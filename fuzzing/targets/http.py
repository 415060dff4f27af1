"""Requests of HTTP/1.x: events come in their order, and a refusal has a status."""

from __future__ import annotations

from fastflv.net.peer import Peer
from fastflv.protocols.http.h1 import END, H1, Event, Refusal
from fastflv.protocols.http.message import Request

STARTS = (
    b"",
    b"GET / HTTP/1.1\r\nHost: a\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
)
"Beginnings that a fuzzer would not guess."

SEEDS = (
    b"GET /live/a.flv?token=x HTTP/1.1\r\nHost: a.example:8080\r\nConnection: close\r\n\r\n",
    b"Content-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"5;x=y\r\nhello\r\n0\r\nTrailer: a\r\n\r\n",
    b"GET http://a/b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
)
WORDS = (
    b"\r\n", b"\r\n\r\n", b"Host: a", b"Content-Length: ", b"Transfer-Encoding: chunked", b"Connection: upgrade", b"HTTP/1.0",
    b"Upgrade: h2c", b"Expect: 100-continue", b"GET ", b"0\r\n\r\n", b"%2f", b"%", b"?", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)  # fmt: skip


def read(*pieces: bytes) -> list[Event]:
    """Read *pieces*; upgrades are declined."""
    h1 = H1(Peer("", ""))
    for piece in pieces:
        h1.feed(piece)
        while h1.upgrading:
            h1.decline_upgrade()
    return list(h1.events)


def joined(events: list[Event]) -> list[Event]:
    """Join neighbouring pieces of a body."""
    found: list[Event] = []
    for event in events:
        if isinstance(event, bytes) and found and isinstance(found[-1], bytes):
            found[-1] += event
        else:
            found.append(event)
    return found


def check_events(data: bytes) -> list[Event]:
    """Hold that events come in their order, that bodies have their length, and that refusals have a status."""
    events = read(data)
    open_request: Request | None = None
    size = 0
    for event in events:
        if isinstance(event, Request):
            assert open_request is None
            assert (event.version in ("1.0", "1.1") and event.path.startswith(("/", "*"))) or event.path
            open_request, size = event, 0
        elif isinstance(event, bytes):
            assert open_request is not None and event
            size += len(event)
        elif event is END:
            assert open_request is not None
            assert open_request.length is None or open_request.length == size
            open_request = None
        else:
            assert isinstance(event, Refusal) and event is events[-1]
            assert event.status in (400, 431, 501, 505) and event.why
            assert event.response.body
    return events


def check(data: bytes) -> None:
    for start in STARTS:
        check_events(start + data)
