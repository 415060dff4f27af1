"""The HTTP API of a running server: what it says is true, and what it is told it does."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest
from clip import Clip, end, push
from player import Player
from publisher import Publisher, film, headers
from rtmpplayer import RtmpPlayer
from server import Server, until, vhost_text

import fastflv


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(vhost_text(publish="grace 2;"))


def test_versions(server: Server) -> None:
    said = server.ask("versions")
    assert said["code"] == 0 and said["pid"] == str(server.pid)
    assert said["data"]["version"] == fastflv.__version__


def test_versions_are_on_the_stream_port_too(server: Server) -> None:
    with Player(server.http, "/api/v1/versions") as player:
        assert json.loads(player.text())["data"]["version"] == fastflv.__version__
    with Player(server.http, "/api/v1/clients") as player:
        assert player.head().status == 404


def test_summaries(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("sum")
        publisher.tags([*headers(), *film(100)])
        until(lambda: server.streams()["sum"]["recv_bytes"] > 50_000, "media")
        data = server.ask("summaries")["data"]
    assert data["self"]["pid"] == server.pid
    assert data["self"]["cwd"] == os.getcwd()
    assert abs(data["self"]["mem_kbyte"] * 1024 - server.resident()) < 16 << 20
    assert data["system"]["srs_recv_bytes"] > 50_000
    assert data["system"]["conn_srs"] >= 2


@pytest.mark.parametrize(
    ("name", "video", "audio"),
    [
        (
            "h264_aac",
            {"codec": "H264", "profile": "Main", "width": 320, "height": 180},
            {"codec": "AAC", "sample_rate": 44100, "channel": 2, "profile": "LC"},
        ),
        (
            "hevc_aac",
            {"codec": "HEVC", "profile": "Main", "width": 320, "height": 180},
            {"codec": "AAC", "sample_rate": 48000, "channel": 1, "profile": "LC"},
        ),
        ("h264_mp3", {"codec": "H264", "width": 320}, {"codec": "MP3"}),
        ("av1_opus", {"codec": "AV1", "width": 320, "height": 180}, {"codec": "Opus"}),
        ("h264_flac", {"codec": "H264"}, {"codec": "FLAC", "sample_rate": 44100}),
        ("audio_only", None, {"codec": "AAC", "sample_rate": 44100, "channel": 1}),
        ("video_only", {"codec": "H264"}, None),
    ],
)
def test_streams_tell_their_codecs(
    server: Server,
    clips: dict[str, Clip],
    name: str,
    video: dict[str, object] | None,
    audio: dict[str, object] | None,
) -> None:
    if name not in clips:
        pytest.skip(f"no {name}")
    process = push(clips[name].path, server.publish_url("api_" + name))
    try:
        with Player(server.http, f"/live/api_{name}.flv") as player:
            player.until(lambda me: len(me.tags) > 5)
            row = server.streams()["api_" + name]
    finally:
        end(process)
    assert row["app"] == "live" and row["url"] == f"/live/api_{name}"
    assert row["publish"]["active"] is True and row["clients"] == 2
    for kind, wanted in (("video", video), ("audio", audio)):
        if wanted is None:
            assert row[kind] is None
            continue
        told = row[kind]
        assert {key: told.get(key) for key in wanted} == wanted, told


def test_a_stream_counts_its_bytes_and_frames(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("count")
        publisher.tags([*headers(), *film(50)])
        with Player(server.http, "/live/count.flv") as player:
            player.frames(25)
            until(lambda: server.streams()["count"]["video_frames"] == 50, "frames")
            row = server.streams()["count"]
            assert row["audio_frames"] == 50
            assert row["send_bytes"] >= len(player.body)
            assert server.ask(f"streams/{row['id']}")["stream"]["name"] == "count"
    assert server.ask("streams/nothing")["code"] == 2048


def test_clients_are_listed_and_found(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("list")
        publisher.tags([*headers(), *film(5)])
        with Player(server.http, "/live/list.flv?x=1", headers=("Referer: http://page.example/",)) as player:
            player.frames(5)
            rows = [row for row in server.clients() if row["url"] == "/live/list"]
            assert sorted(row["type"] for row in rows) == ["flv-play", "fmle-publish"]
            play = next(row for row in rows if row["type"] == "flv-play")
            assert play["ip"] == "127.0.0.1" and play["publish"] is False
            assert play["pageUrl"] == "http://page.example/"
            assert play["send_bytes"] >= len(player.body)
            assert server.ask(f"clients/{play['id']}")["client"]["id"] == play["id"]
    assert server.ask("clients/nothing")["code"] == 2049


def test_delete_lets_a_player_go(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("kick")
        publisher.tags([*headers(), *film(5)])
        with Player(server.http, "/live/kick.flv") as player, Player(server.http, "/live/kick.flv") as other:
            player.frames(5)
            other.frames(5)
            ids = [row["id"] for row in server.clients() if row["url"] == "/live/kick" and not row["publish"]]
            assert server.ask(f"clients/{ids[0]}", "DELETE")["code"] == 0
            player.rest()
            publisher.tags(film(5, start=200))
            other.frames(5)
        until(lambda: len([r for r in server.clients() if r["url"] == "/live/kick"]) == 1, "gone")
    assert server.ask("clients/nothing", "DELETE")["code"] == 2049


def test_delete_lets_a_publisher_go_and_its_players_wait(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("kickpub")
        publisher.tags([*headers(), *film(5)])
        player = Player(server.http, "/live/kickpub.flv").frames(5)
        id = server.streams()["kickpub"]["publish"]["cid"]
        assert server.ask(f"clients/{id}", "DELETE")["code"] == 0
        assert publisher.closed()
    until(lambda: not server.streams()["kickpub"]["publish"]["active"], "unpublish")
    with Publisher(server.rtmp) as publisher:
        publisher.publish("kickpub")
        publisher.tags([*headers(), *film(5)])
        player.frames(5)
    player.close()


@pytest.mark.parametrize(
    "query", ["start=99999999999999999999", "count=0", "start=-1&count=x", f"count={'9' * 5000}"]
)
def test_odd_pages_are_answered(server: Server, query: str) -> None:
    with Player(server.api, f"/api/v1/clients?{query}") as player:
        assert json.loads(player.text())["code"] == 0
        assert player.status == 200


def test_names_of_any_text_are_valid_json(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish('a"b\u2603\U0001f600\ufffd<script>')
        publisher.tags([*headers(), *film(2)])
        until(lambda: 'a"b\u2603\U0001f600\ufffd<script>' in server.streams(), "odd name")


@pytest.mark.parametrize("auth", [False, True])
def test_a_page_of_another_site_disconnects_nobody_without_a_password(
    serve: Callable[..., Server], auth: bool
) -> None:
    words = {"ENABLED": "on", "USERNAME": "me", "PASSWORD": "it"} if auth else {}
    server = serve(environ={f"SRS_HTTP_API_AUTH_{key}": value for key, value in words.items()})
    origin = "Origin: https://elsewhere.example.com"
    private = "Access-Control-Request-Private-Network: true"
    preflight = (origin, private, "Access-Control-Request-Method: DELETE")
    with Player(server.api, "/api/v1/clients/abc", method="OPTIONS", headers=preflight) as player:
        granted = player.head().headers
    assert ("access-control-allow-origin" in granted) is auth
    assert ("access-control-allow-private-network" in granted) is auth
    with Player(server.api, "/api/v1/clients", method="OPTIONS", headers=(origin, private)) as player:
        granted = player.head().headers
    assert granted["access-control-allow-origin"] == "*"
    assert ("access-control-allow-private-network" in granted) is auth
    assert ("DELETE" in granted["access-control-allow-methods"]) is auth


def test_no_password_and_no_token_of_a_url_is_shown(server: Server) -> None:
    tc_url = f"rtmp://user:SECRET@127.0.0.1:{server.rtmp}/live?sign=SECRET&vhost=__defaultVhost__"
    page = "https://site.example/page?session=SECRET#SECRET"
    with Publisher(server.rtmp) as publisher:
        publisher.connect(tc_url=tc_url, page_url=page).begin("shown?token=SECRET")
        publisher.tags([*headers(), *film(5)])
        with (
            Player(server.http, "/live/shown.flv?token=SECRET", headers=(f"Referer: {page}",)) as player,
            RtmpPlayer(server.rtmp).greet().connect(tcUrl=tc_url, pageUrl=page) as other,
        ):
            other.play("shown?token=SECRET").frames(2)
            player.frames(2)
            rows = [row for row in server.clients() if row["url"] == "/live/shown"]
            stream = server.streams()["shown"]
    hidden = f"rtmp://***@127.0.0.1:{server.rtmp}/live?sign=***&vhost=__defaultVhost__"
    assert stream["tcUrl"] == hidden
    assert sorted(row["tcUrl"] for row in rows) == ["http://127.0.0.1/live", hidden, hidden]
    assert {row["pageUrl"] for row in rows} == {"https://site.example/page?session=***#***"}
    assert "SECRET" not in str(rows) + str(stream) + server.log.text()


def test_no_answer_of_the_api_holds_a_control_character_of_a_peer(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.connect(page_url="http://a/\x9b31m").begin("control")
        publisher.tags([*headers(), *film(5)])
        with Player(server.http, "/live/control.flv", headers=("Referer: http://b/\x9b31m",)) as player:
            player.frames(2)
            with Player(server.api, "/api/v1/clients?count=100") as asked:
                text = asked.text()
    assert "http://b/" in text and text.isprintable()
    # Bytes of a header are read as Latin-1; RTMP keeps no control characters at all.
    assert "http://b/Â\x9b31m" in {row["pageUrl"] for row in json.loads(text)["clients"]}
