"""What is in a media body, slow and obvious: every legacy and Enhanced RTMP form, read track by track.

Specs: Adobe FLV v10.1, E.4.2 and E.4.3; Enhanced RTMP v2, "Enhanced Audio", "Enhanced Video".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from model.flv import AUDIO, VIDEO

START, CODED, END, CODED_X, NOTES, MOD_EX = 0, 1, 2, 3, 4, 7
ONE_TRACK, MANY_TRACKS, MANY_CODECS = 0, 1, 2
MULTITRACK = {AUDIO: 5, VIDEO: 6}
WITH_CTS = (b"avc1", b"hvc1", b"vvc1")


class Short(Exception):
    """The body ends too early."""


class Payload(NamedTuple):
    codec: int
    frame: int
    packet: int
    cts_ms: int
    data: bytes


class Octets:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        if len(self.data) < size:
            raise Short
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def rest(self) -> bytes:
        return self.take(len(self.data))


def payload(kind: int, body: bytes) -> Payload | None:
    """The default track of *body*: the first with id 0; None when it has none before it ends."""
    if kind not in (AUDIO, VIDEO):
        return None
    try:
        return next((found for track, found in tracks(kind, Octets(body)) if track == 0), None)
    except Short:
        return None


def tracks(kind: int, body: Octets) -> Iterator[tuple[int, Payload]]:
    """The tracks of a body and what they hold, in their order; Short where it ends within one."""
    first = body.number(1)
    frame = first >> 4 & 7 if kind == VIDEO else 0
    if (kind == VIDEO and first & 0x80) or (kind == AUDIO and first >> 4 == 9):
        yield from extended(kind, frame, first & 15, body)
    elif kind == VIDEO and frame == 5:
        return  # a command for a server that seeks
    elif kind == VIDEO and first & 15 in (7, 12, 13):
        packet, cts = body.number(1), signed(body.number(3))
        yield 0, Payload(first & 15, frame, packet, cts, body.rest())
    elif kind == AUDIO and first >> 4 == 10:
        packet = START if body.number(1) == 0 else CODED
        yield 0, Payload(10, 0, packet, 0, body.rest())
    else:
        yield 0, Payload(first & 15 if kind == VIDEO else first >> 4, frame, CODED, 0, body.rest())


def extended(kind: int, frame: int, packet: int, body: Octets) -> Iterator[tuple[int, Payload]]:
    while packet == MOD_EX:
        size = body.number(1) + 1
        if size == 256:
            size = body.number(2) + 1
        body.take(size)
        packet = body.number(1) & 15
    if kind == VIDEO and frame == 5 and packet != NOTES:
        return
    if packet != MULTITRACK[kind]:
        name = body.take(4)
        yield 0, coded(kind, frame, packet, name, body)
        return
    how = body.number(1)
    how, packet = how >> 4, how & 15
    if how > MANY_CODECS:
        return
    name = body.take(4) if how != MANY_CODECS else b""
    while True:
        if how == MANY_CODECS:
            name = body.take(4)
        track = body.number(1)
        data = body.take(body.number(3)) if how != ONE_TRACK else body.rest()
        # Of the others nothing is looked at but their length.
        yield track, coded(kind, frame, packet, name, Octets(data)) if track == 0 else None
        if how == ONE_TRACK:
            return


def coded(kind: int, frame: int, packet: int, name: bytes, data: Octets) -> Payload:
    cts = 0
    if kind == VIDEO and packet == CODED and name in WITH_CTS:
        cts = signed(data.number(3))
    if kind == VIDEO and packet == CODED_X:
        packet = CODED
    return Payload(int.from_bytes(name, "big"), frame, packet, cts, data.rest())


def signed(value: int) -> int:
    return value - (1 << 24) if value >> 23 else value
