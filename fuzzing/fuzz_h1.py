"""Fuzz the reader of HTTP/1.x requests: `pip install atheris; PYTHONPATH=. python fuzzing/fuzz_h1.py`.

Arguments are those of libFuzzer, as `-max_total_time=60 CORPUS_FOLDER`.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext

try:
    import atheris
except ImportError:
    atheris = None

with atheris.instrument_imports(include=["fastflv"]) if atheris else nullcontext():
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


def check(data: bytes) -> list[Event]:
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


def check_behind_starts(data: bytes) -> None:
    for start in STARTS:
        check(start + data)


if __name__ == "__main__":
    atheris.Setup(sys.argv, check_behind_starts)
    atheris.Fuzz()
