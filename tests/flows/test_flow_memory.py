"""What a stream costs in memory: its newest GOP and little else, with players as without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from player import Player
from publisher import Publisher, film, headers
from server import Server, until, vhost_text

STREAMS = 50
PICTURES = 50
"Of a GOP of 2 s."

PICTURE_BYTES = 2400
GOP_KB = PICTURES * (PICTURE_BYTES + 150) / 1024
STREAM_KB = 70
"The rest of a publisher: its connection, its session, its stream, and the pages around the GOP."

PLAYER_KB = 60
"A player, with a stream that somebody reads: what lies within a merge window of the head."


@pytest.fixture
def crowd(serve: Callable[..., Server]) -> Iterator[tuple[Server, list[Publisher]]]:
    """A server, and publishers that have sent their headers."""
    server = serve(vhost_text())
    with ExitStack() as stack:
        publishers = [stack.enter_context(Publisher(server.rtmp)) for _ in range(STREAMS)]
        yield server, publishers


def shoot(publishers: list[Publisher], first: int, count: int) -> None:
    """Send whole GOPs, *count* of them from number *first* on, each stream its own after the other."""
    for gop in range(first, first + count):
        for publisher in publishers:
            publisher.tags(
                film(PICTURES, gop=PICTURES, start=2000 * gop, first=PICTURES * gop, size=PICTURE_BYTES)
            )


def grown_kb(server: Server, before: int) -> float:
    """KB that each of the streams has taken since *before*."""
    return (server.resident() - before) / 1024 / STREAMS


def test_a_stream_keeps_its_newest_gop_and_little_else(crowd: tuple[Server, list[Publisher]]) -> None:
    server, publishers = crowd
    before = server.resident()
    for number, publisher in enumerate(publishers):
        publisher.publish(f"camera{number}")
        publisher.tags(headers())
    shoot(publishers, 0, 4)
    until(lambda: all(row["frames"] >= 4 * PICTURES for row in server.streams().values()), "media", 20)
    assert grown_kb(server, before) < GOP_KB + STREAM_KB
    with ExitStack() as stack:
        players = [
            stack.enter_context(Player(server.http, f"/live/camera{number}.flv")) for number in range(STREAMS)
        ]
        for player in players:
            # The GOP at once, though nothing is published meanwhile.
            player.frames(PICTURES)
        for gop in range(4, 8):
            shoot(publishers, gop, 1)
            for player in players:
                player.frames(PICTURES)
        assert grown_kb(server, before) < GOP_KB + STREAM_KB + PLAYER_KB
