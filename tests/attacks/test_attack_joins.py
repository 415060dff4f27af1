"""Players that come and go cost the event loop what they cost together, whatever the GOP."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from attack import Attack
from flvread import VIDEO
from player import Player
from publisher import Publisher, picture, silent_headers
from server import MIB

SECONDS = 1.5
QUERIES = ("", "only=video", "start=compact", "only=video&start=compact", "start=key")


@pytest.mark.parametrize("size", [25_000, 50_000, 100_000])
@pytest.mark.parametrize("container", ["ts", "flv"])
def test_joins_to_a_large_gop_hold_up_nobody_else(
    under_attack: Callable[..., Attack], container: str, size: int
) -> None:
    attack = under_attack()
    with Publisher(attack.server.rtmp).publish("x") as publisher:
        publisher.tags(silent_headers())
        for number in range(150):
            publisher.tag(VIDEO, 40 * number, picture(number, key=number == 0, size=size))
        with attack.measured():
            end = time.monotonic() + SECONDS
            turn = 0
            while time.monotonic() < end:
                for query in QUERIES:
                    target = f"/live/x.{container}?{query}"
                    with Player(attack.server.http, target, flv=False) as player:
                        assert player.head().status == 200
                turn += 1
                # Whoever has left is seen to be gone when something is sent.
                for step in (0, 20):
                    publisher.tag(VIDEO, 6000 + 40 * turn + step, picture(turn, size=100))
    attack.check_delay()
    attack.check_memory(peak=200 * MIB)
