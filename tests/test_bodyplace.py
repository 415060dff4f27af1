"""The place in a body: another reader that reads `begun` first goes on at any byte."""

from __future__ import annotations

import random

import pytest
from wsclient import encode
from wsproto.events import BytesMessage, Ping

from fastflv.net.peer import Peer
from fastflv.protocols.http.bodyplace import ClientFrames
from fastflv.protocols.http.h1 import END, H1
from fastflv.protocols.http.message import Request
from fastflv.servers.http.websocket import opened_websocket

PEER = Peer("192.0.2.1", "192.0.2.1")
HEAD = b"POST /live/a.flv HTTP/1.1\r\nHost: a\r\n"


def content(h1: H1) -> tuple[bytes, bool]:
    """The bytes of the body that were read, and whether it has ended."""
    return b"".join(each for each in h1.events if isinstance(each, bytes)), END in h1.events


@pytest.mark.parametrize("split", [1, 7, 1000])
@pytest.mark.parametrize("before", [b"", b"\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_chunks_go_on_at_any_byte(split: int, before: bytes) -> None:
    rng = random.Random(3)
    pieces = [rng.randbytes(size) for size in (1, 9, 10, 300, 2)]
    body = b"".join(b"%x%b\r\n%b\r\n" % (len(each), b";name=x" * (len(each) == 9), each) for each in pieces)
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    wire = before + head + body
    skipped = 0
    for at in range(len(before) + len(head), len(wire) + 1):
        first, second = H1(PEER), H1(PEER)
        for start in range(0, at, split):
            first.feed(wire[start : min(start + split, at)])
        begun = first.begun(None)
        if begun is None:
            skipped += 1
            continue
        second.go_on(begun)
        assert not second.events
        second.feed(wire[at:] + b"0\r\n\r\n")
        assert not second.failed
        assert content(first)[0] + content(second)[0] == b"".join(pieces), f"at byte {at}"
        assert content(second)[1]
    # Where a message before ends in the same input, nobody says where the body begins.
    assert (skipped > 0) == (bool(before.strip()) and split == 1000)


def test_a_body_of_known_length_goes_on_at_any_byte() -> None:
    body = random.Random(5).randbytes(50)
    for at in range(50):
        first, second = H1(PEER), H1(PEER)
        first.feed(HEAD + b"Content-Length: 50\r\n\r\n" + body[:at])
        request = first.events[0]
        assert isinstance(request, Request) and request.length == 50
        begun = first.begun(50 - at)
        assert begun is not None
        second.go_on(begun)
        second.feed(body[at:])
        assert content(second) == (body[at:], True)


@pytest.mark.parametrize("over", [b"0\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n"])
def test_behind_its_last_chunk_nobody_goes_on(over: bytes) -> None:
    h1 = H1(PEER)
    h1.feed(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n" + over)
    assert h1.begun(None) is None


def test_frames_go_on_at_any_byte_but_within_a_control_frame() -> None:
    rng = random.Random(9)
    blobs = [rng.randbytes(size) for size in (1, 125, 126, 300, 70_000, 0, 8)]
    frames = [
        encode(2, blobs[0]),
        encode(2, blobs[1], fin=False),
        encode(9, b"ping in between"),
        encode(0, blobs[2], fin=False),
        encode(0, blobs[3]),
        encode(2, blobs[4]),
        encode(2, blobs[5]),
        encode(2, blobs[6]),
    ]
    wire = b"".join(frames)
    begin = len(frames[0]) + len(frames[1])
    refused = []
    for at in (*range(900), *range(900, 71_000, 977), *range(len(wire) - 30, len(wire) + 1)):
        first, second, place = opened_websocket(), opened_websocket(), ClientFrames()
        first.receive_data(wire[:at])
        place.take(wire[: at // 2])
        place.take(wire[at // 2 : at])
        begun = place.begun
        if begun is None:
            refused.append(at)
            continue
        second.receive_data(begun)
        assert not [each for each in second.events() if isinstance(each, BytesMessage) and each.data]
        second.receive_data(wire[at:])
        found = [*first.events(), *second.events()]
        got = b"".join(bytes(each.data) for each in found if isinstance(each, BytesMessage))
        assert got == b"".join(blobs), f"at byte {at}"
        assert sum(isinstance(each, Ping) for each in found) == 1
    # Its header says nothing yet that is lost.
    assert refused == list(range(begin + 6, begin + len(frames[2])))
