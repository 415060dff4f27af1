"""Media that costs more than its bytes: nobody else is held up by it, and it fills no memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from attack import Attack
from flvread import AUDIO, VIDEO
from player import Player
from publisher import AAC, AVC, Publisher, picture, sound
from server import MIB

from fastflv._ext.ingest.chunkwrite import write_message

SECONDS = 1.5
"Of each attack."
KEY = picture(0, key=True, size=10)
BIG_AUDIO = bytes.fromhex("af00") + bytes(60_000)
BIG_SETS = AVC[:-7] + b"\x02" + AVC[-6:] + (8000).to_bytes(2, "big") + b"\x68\xef\x3c\x80" + bytes(7996)
"""A second picture parameter set of nearly TS_SETS_BYTES_MAX."""


def wire(kind: int, at: int, body: bytes, chunk: int = 4096) -> bytes:
    return write_message(kind, at & 0xFFFFFFFF, 1, 4 if kind == AUDIO else 6, body, chunk)


def headers_before_each_keyframe(number: int) -> bytes:
    """A large header stays, a small one changes."""
    return wire(VIDEO, number, AVC + bytes([number % 251])) + wire(VIDEO, number, KEY)


def tracks_in_turn(number: int) -> bytes:
    """Each track is silent for so long that it counts as lost, and comes back."""
    at = 24_000 * number
    kinds = ((AUDIO, sound(number, 4), 0), (VIDEO, KEY, 12_000))
    return b"".join(
        wire(kind, at + begins + step, body) for kind, body, begins in kinds for step in (0, 6000, 11_000)
    )


def tiny_keyframes(number: int) -> bytes:
    return wire(VIDEO, number, KEY)


def one_byte_chunks(number: int) -> bytes:
    return wire(VIDEO, number, picture(number, key=True, size=2000), 1)


def both_headers_in_turn(number: int) -> bytes:
    return wire(VIDEO, number, AVC + bytes([number % 251])) + wire(AUDIO, number, AAC + bytes([number % 251]))


def blocks(make: Callable[[int], bytes]) -> Iterator[bytes]:
    """The attack without end, in pieces that are made before it."""
    made = [b"".join(make(1000 * part + number) for number in range(1000)) for part in range(20)]
    while True:
        yield from made


ATTACKS = {
    "headers": (headers_before_each_keyframe, [(AUDIO, BIG_AUDIO), (VIDEO, AVC)], "flv"),
    "both": (both_headers_in_turn, [(AUDIO, BIG_AUDIO), (VIDEO, AVC), (VIDEO, KEY)], "flv"),
    "tracks": (tracks_in_turn, [(AUDIO, BIG_AUDIO), (VIDEO, AVC)], "flv"),
    "sets": (tiny_keyframes, [(AUDIO, AAC), (VIDEO, BIG_SETS)], "ts"),
    "keys": (tiny_keyframes, [(AUDIO, AAC), (VIDEO, AVC)], "ts"),
    "rtmp": (headers_before_each_keyframe, [(AUDIO, BIG_AUDIO), (VIDEO, AVC)], "flv?hevc=legacy"),
    "bytes": (one_byte_chunks, [(AUDIO, AAC), (VIDEO, AVC)], "flv"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_media_of_much_work_holds_up_nobody_else(under_attack: Callable[..., Attack], name: str) -> None:
    make, first, ending = ATTACKS[name]
    chunk = 1 if name == "bytes" else 4096
    attack = under_attack()
    with Publisher(attack.server.rtmp).publish("x") as publisher:
        for kind, body in first:
            publisher.tag(kind, 0, body)
        publisher.tag(VIDEO, 0, picture(0, key=True))
        publisher.tag(AUDIO, 0, sound(0))
        with Player(attack.server.http, f"/live/x.{ending}", flv=False) as player:
            assert player.head().status == 200
            publisher.set_chunk(chunk)
            pieces = blocks(make)
            sent = 0
            with attack.measured(), suppress(ConnectionError):
                end = time.monotonic() + SECONDS
                while time.monotonic() < end:
                    piece = next(pieces)
                    publisher.raw(piece)
                    sent += len(piece)
    print(f"{name}: {sent >> 20} MiB sent")
    attack.check_delay()
    attack.check_memory(peak=150 * MIB)
