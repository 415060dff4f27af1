"""An encoder that publishes three renditions on one connection, as FMLE does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flvread import AUDIO, VIDEO, media
from player import Player
from publisher import Publisher, film, headers
from rtmpplayer import RtmpPlayer
from server import Server, until

NAMES = ("low", "middle", "high")
SIZES = {"low": 300, "middle": 600, "high": 900}

VHOST = "vhost __defaultVhost__ { play { start gop; mw_latency 0; } publish { grace 0; } http_remux { enabled on; } }\n"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(VHOST)


def bodies(player: Player) -> set[int]:
    """Sizes of the pictures: each rendition has its own."""
    return {len(tag.body) for tag in media(player.tags, VIDEO)}


def test_three_streams_of_one_connection_play_and_one_ends_alone(server: Server) -> None:
    with Publisher(server.rtmp) as encoder:
        encoder.connect()
        for name in NAMES:
            encoder.begin(name)
            encoder.tags(headers())
            encoder.tags(film(5, size=SIZES[name]))
        assert list(encoder.streams.values()) == [1, 2, 3]
        rows = {row["name"]: row for row in server.clients() if row["publish"]}
        assert set(rows) == set(NAMES)
        assert {row["type"] for row in rows.values()} == {"fmle-publish"}
        players = {name: Player(server.http, f"/live/{name}.flv").frames(5) for name in NAMES}

        encoder.end("middle")
        players["middle"].rest()
        assert players["middle"].clean, "the end of one stream is a clean end for its players"
        until(lambda: "middle" not in server.streams(), "end of the second")

        for name in ("low", "high"):
            encoder.tags(film(5, start=200, first=5, size=SIZES[name]), stream=encoder.streams[name])
        for name in ("low", "high"):
            players[name].frames(5)
        for name, player in players.items():
            assert len(bodies(player)) == 1 and abs(bodies(player).pop() - SIZES[name]) < 20
            player.close()

        # The name is free again, on the same connection, and its stream id is a new one.
        encoder.begin("middle")
        assert encoder.streams["middle"] == 4
        encoder.tags([*headers(), *film(3)])
        with Player(server.http, "/live/middle.flv") as player:
            player.frames(3)
        encoder.finish()
    until(lambda: not server.streams(), "end of all")


def test_media_of_three_streams_may_be_interleaved(server: Server) -> None:
    # Step by step, as an encoder that starts all renditions at once: three times each command, then the answers.
    with RtmpPlayer(server.rtmp) as encoder:
        encoder.greet().connect()
        for number, name in enumerate(NAMES):
            encoder.command("releaseStream", 10 + number, None, name)
        for number, name in enumerate(NAMES):
            encoder.command("FCPublish", 20 + number, None, name)
        for number in range(3):
            encoder.command("createStream", 30 + number, None)
            assert encoder.wait("_result", 30 + number)[3] == float(number + 1)
        for number, name in enumerate(NAMES, 1):
            encoder.command("publish", 40 + number, None, name, "live", stream=number)
        encoder.told("NetStream.Publish.Start", 3)
        for tags in zip(*([*headers(), *film(10, size=SIZES[name])] for name in NAMES), strict=True):
            for number, tag in enumerate(tags, 1):
                # A chunk stream of its own for each rendition and kind.
                channel = 4 + 3 * number + {AUDIO: 0, VIDEO: 1}.get(tag.kind, 2)
                encoder.message(tag.kind, tag.body, time=tag.time, stream=number, channel=channel)
        for name in NAMES:
            with Player(server.http, f"/live/{name}.flv") as player:
                player.frames(10)
                assert len(bodies(player)) == 1 and abs(bodies(player).pop() - SIZES[name]) < 20
        received = {row["name"]: row["recv_bytes"] for row in server.clients() if row["publish"]}
        for name in NAMES:
            # Each has its own bytes, not those of the connection.
            frames = sum(len(tag.body) for tag in film(10, size=SIZES[name]))
            assert frames <= received[name] <= frames + 500, received


def test_a_second_publish_of_a_name_is_refused_and_the_first_goes_on(server: Server) -> None:
    with RtmpPlayer(server.rtmp) as encoder:
        encoder.greet().connect()
        for number in (1, 2):
            encoder.command("createStream", 30 + number, None)
            encoder.wait("_result", 30 + number)
        encoder.command("publish", 41, None, "same", "live", stream=1)
        encoder.told("NetStream.Publish.Start")
        encoder.command("publish", 42, None, "same", "live", stream=2)
        encoder.told("NetStream.Publish.BadName")
        for tag in [*headers(), *film(5)]:
            encoder.message(tag.kind, tag.body, time=tag.time, stream=1)
        with Player(server.http, "/live/same.flv") as player:
            player.frames(5)
