"""Memory goes back with what it was for: streams that ended, players that left, forms that nobody reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from attack import Attack
from flvread import VIDEO, Tag
from model.ports import free_ports
from player import Player
from publisher import Publisher, headers, picture, silent_headers
from rtmpplayer import RtmpPlayer
from server import MIB, until, vhost_text
from tlsfiles import make_pair, trusting
from wsclient import WebSocket

from fastflv import limits


def gop(pictures: int, size: int, start: int = 0) -> Iterator[Tag]:
    """One keyframe and its pictures, *size* bytes each."""
    for i in range(pictures):
        yield Tag(VIDEO, start + 40 * i, picture(i, key=i == 0, size=size))


def test_ended_streams_give_their_memory_back(under_attack: Callable[..., Attack]) -> None:
    attack = under_attack()
    frames = list(gop(11, 100_000))
    with attack.measured():
        for number in range(100):
            with Publisher(attack.server.rtmp).publish(f"s{number}") as publisher:
                publisher.tags(headers())
                publisher.tags(frames)
                publisher.finish()
        until(lambda: len(attack.server.streams()) == 3, "ended streams", 20)
    attack.check_delay()
    attack.check_memory(peak=20 * MIB)


def left(attack: Attack, publisher: Publisher, time: int) -> bool:
    """Send a picture, which shows the server who has left; whether nobody plays the stream."""
    publisher.tag(VIDEO, time, picture(0, size=100))
    return attack.server.streams()["x"]["clients"] == 1


def played(attack: Attack, how: str, target: str, https: int) -> Player | WebSocket | RtmpPlayer:
    """A player that has been sent something."""
    tls = trusting() if how in ("https", "wss") else None
    if how == "rtmp":
        player = RtmpPlayer(attack.server.rtmp).open(target)
        return player.frames(1)
    port = https if tls is not None else attack.server.http
    if how in ("ws", "wss"):
        return WebSocket(port, f"/live/{target}", tls=tls).frames(1)
    return Player(port, f"/live/{target}", flv=False, tls=tls).until(lambda me: len(me.body) > 1000)


@pytest.mark.parametrize(
    ("how", "target"),
    [
        ("http", "x.ts"),
        ("http", "x.flv?only=video"),
        ("https", "x.ts"),
        ("ws", "x.flv?only=video"),
        ("wss", "x.flv?only=video"),
        ("rtmp", "x"),
        ("rtmp", "x?only=video"),
    ],
)
def test_players_that_left_give_the_memory_of_their_form_back(
    under_attack: Callable[..., Attack], tmp_path: Path, how: str, target: str
) -> None:
    (https,) = free_ports(1)
    pair = make_pair(tmp_path)
    web = f"https {{ enabled on; listen {https}; cert {pair.cert}; key {pair.key}; }}"
    attack = under_attack(web=web)
    with Publisher(attack.server.rtmp).publish("x") as publisher, attack.measured():
        publisher.tags(silent_headers())
        publisher.tags(gop(47, 100_000))
        for number in range(40):
            with played(attack, how, target, https):
                pass
            # The server sees that a player has left when it sends something.
            at = 2000 + 100 * number
            until(lambda at=at: left(attack, publisher, at), "the player has left", 10)
    attack.check_delay()
    attack.check_memory(peak=60 * MIB)


@pytest.mark.parametrize("media", [False, True])
def test_a_connection_that_publishes_and_closes_leaves_few_streams(
    under_attack: Callable[..., Attack], media: bool
) -> None:
    attack = under_attack(vhost_text(publish="grace 30;"))
    with attack.measured(), Publisher(attack.server.rtmp).connect() as publisher:
        for number in range(200):
            publisher.begin(f"s{number}")
            publisher.tags(headers())
            if media:
                publisher.tags(gop(2, 60_000))
            publisher.end(f"s{number}")
        publisher.begin("last")
        # Three of the healthy streams, and what is bounded by the connection.
        assert len(attack.server.streams()) == 4 + (limits.GRACES_PER_CONNECTION if media else 0)
    attack.check_delay()
    attack.check_memory(peak=20 * MIB)


CHOICES = [
    (stream, query)
    for query in (
        "",
        "only=audio",
        "only=video",
        "only=key",
        "hevc=legacy",
        "hevc=enhanced",
        "only=video&hevc=legacy",
    )
    for stream in range(1, limits.MESSAGE_STREAM_MAX + 1)
]


def test_players_no_two_alike_share_bounded_memory(under_attack: Callable[..., Attack]) -> None:
    attack = under_attack()
    with Publisher(attack.server.rtmp).publish("x") as publisher, ExitStack() as players, attack.measured():
        publisher.tags(headers())
        publisher.tags(gop(47, 100_000))
        refused = 0
        for number, (stream, query) in enumerate(CHOICES):
            publisher.tag(VIDEO, 2000 + 40 * number, picture(number, size=100))
            player = players.enter_context(RtmpPlayer(attack.server.rtmp))
            player.greet().connect()
            for _ in range(stream):
                player.command("createStream", 2, None)
            player.play(f"x?{query}", stream=stream, create=False)
            player.until(lambda me: me.codes)
            if player.codes[0] == "NetStream.Play.Failed":
                refused += 1
        assert refused > 200
        # Nobody is kept from what needs no log of its own, or has one.
        for target in ("x.flv", "x.ts"):
            with Player(attack.server.http, f"/live/{target}", flv=False) as viewer:
                assert viewer.head().status == 200
        with Player(attack.server.http, "/live/x.flv?hevc=enhanced") as viewer:
            assert viewer.head().status == 503
            assert viewer.headers["retry-after"] == "10"
    attack.check_delay()
    attack.check_memory(peak=130 * MIB)
