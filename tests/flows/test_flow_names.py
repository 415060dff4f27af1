"""Names as encoders and players write them: RTMP and HTTP mean the same stream, and a peer that is refused is told why."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from httppush import HttpPush
from player import Player
from publisher import Publisher, film, headers
from rtmpplayer import RtmpPlayer
from server import HOST, Server

NAMES = {
    "space": ("live", "a%20b", "/live/a%20b.flv", ("live", "a b")),
    "escaped by one side alone": ("live", "直播", "/live/%E7%9B%B4%E6%92%AD.flv", ("live", "直播")),
    "escape of an escape": ("live", "a%2520b", "/live/a%2520b.flv", ("live", "a%20b")),
    "slash": ("live", "a%2Fb", "/live/a/b.flv", ("live/a", "b")),
    "escaped app": ("l%69ve%20x", "c", "/live%20x/c.flv", ("live x", "c")),
    "percent sign": ("live", "100%", "/live/100%25.flv", ("live", "100%")),
}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve()


@pytest.mark.parametrize(("app", "stream", "path", "name"), NAMES.values(), ids=NAMES)
def test_a_name_published_by_rtmp_plays_at_that_path(
    server: Server, app: str, stream: str, path: str, name: tuple[str, str]
) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish(stream, app)
        publisher.tags([*headers(), *film(10)])
        with Player(server.http, path) as player, RtmpPlayer(server.rtmp).open(stream, app) as other:
            player.frames(5)
            other.frames(5)
        assert [(each["app"], each["name"]) for each in server.streams().values()] == [name]


@pytest.mark.parametrize(("app", "stream", "path", "name"), NAMES.values(), ids=NAMES)
def test_a_name_pushed_by_http_plays_by_rtmp(
    server: Server, app: str, stream: str, path: str, name: tuple[str, str]
) -> None:
    with HttpPush(server.http, path) as push:
        push.begin([*headers(), *film(10)])
        with RtmpPlayer(server.rtmp).open(stream, app) as player:
            player.frames(5)


def test_tokens_of_4096_characters_in_key_and_tcurl_are_taken(server: Server) -> None:
    tc_url = f"rtmp://{HOST}:{server.rtmp}/live?sign={'s' * 4096}"
    key = f"tokens?token={'t' * 4096}"
    with Publisher(server.rtmp) as publisher:
        publisher.publish(key, f"live?sign={'s' * 4096}", tc_url)
        publisher.tags([*headers(), *film(10)])
        player = RtmpPlayer(server.rtmp).greet().connect("live", tcUrl=tc_url).play(key)
        with player, Player(server.http, f"/live/tokens.flv?token={'t' * 4096}") as other:
            player.frames(5)
            other.frames(5)


def test_the_app_counts_before_the_path_of_tcurl(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("counted", "mine", f"rtmp://{HOST}:{server.rtmp}/other")
        publisher.tags([*headers(), *film(10)])
        with Player(server.http, "/mine/counted.flv") as player:
            player.frames(5)


def test_a_url_of_one_word_plays_below_the_default_app(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("", "one")
        publisher.tags([*headers(), *film(10)])
        with Player(server.http, "/__defaultApp__/one.flv") as player:
            player.frames(5)


def test_a_peer_whose_command_cannot_be_read_is_told_before_the_close(server: Server) -> None:
    with RtmpPlayer(server.rtmp).greet() as player:
        player.command("connect", 1, {"app": "a/../b", "tcUrl": f"rtmp://{HOST}/a/../b"})
        info = player.wait("_error", 1)[3]
        assert info["code"] == "NetConnection.Connect.Rejected" and "`..`" in info["description"]
        assert player.closed()
    for stream, code in (("../x", "NetStream.Play.Failed"), ("x" * 2000, "NetStream.Play.Failed")):
        with RtmpPlayer(server.rtmp).greet() as player:
            player.connect().play(stream).told(code)
            assert player.closed()
    with RtmpPlayer(server.rtmp).greet() as player:
        player.connect().command("publish", 0, None, stream=1)
        player.told("NetStream.Publish.BadName")
        assert player.closed()
