"""Failed plays: the log names the stream or path, the peer and the reason, and so does the answer."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broadcast import Broadcast
from publisher import Publisher, film, headers
from rtmpplayer import RtmpPlayer
from server import HOST, Server, until, vhost_text

VHOST = vhost_text(remux="on_missing 0; mount [vhost]/[app]/[stream].mp3;", more="hls { enabled on; }")
CLOSED = "vhost closed.example { security { enabled on; deny play all; } http_remux { enabled on; } hls { enabled on; } }"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Iterator[Server]:
    running = serve(f"{VHOST}{CLOSED}")
    with Broadcast(running.rtmp, "there"):
        until(lambda: "there" in running.streams(), "the stream", 20)
        yield running


FAILED = {
    "an absent stream": ("/live/absent.flv", 404, "/live/absent"),
    "an absent stream of HLS": ("/live/absent.m3u8", 404, "/live/absent"),
    "a path without a mount": ("/live/there.mkv", 404, "/live/there.mkv"),
    "a word that there is not": ("/live/there.flv?only=smell", 400, "/live/there"),
    "a container that cannot carry it": ("/live/there.mp3", 406, "/live/there"),
    "a rule": ("/live/there.flv?vhost=closed.example", 403, "closed.example/live/there"),
    "a rule for HLS": ("/live/there.m3u8?vhost=closed.example", 403, "closed.example/live/there"),
    "a name that RTMP refuses": ("/live/a%5Cb.flv", 400, "/live/a"),
}


@pytest.mark.parametrize(("path", "status", "name"), FAILED.values(), ids=FAILED)
def test_a_failed_play_leaves_a_line_and_the_body_names_the_stream(
    server: Server, path: str, status: int, name: str
) -> None:
    since = len(server.log.lines)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://{HOST}:{server.http}{path}", timeout=10)
    body = caught.value.read().decode()
    assert caught.value.code == status
    assert name in body or status == 400, body
    line = server.log.wait(rf"player .*from {HOST} of {name}.* refused: ", since)
    assert len(server.log.find("refused", since)) == 1, line


def test_a_websocket_handshake_that_fails_leaves_a_line(server: Server) -> None:
    since = len(server.log.lines)
    request = urllib.request.Request(f"http://{HOST}:{server.http}/live/there.flv")
    request.add_header("Upgrade", "websocket")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=10)
    server.log.wait(rf"player from {HOST} of /live/there refused: ", since)


def test_an_rtmp_play_that_fails_leaves_a_line(server: Server) -> None:
    since = len(server.log.lines)
    with RtmpPlayer(server.rtmp).greet().connect() as player:
        player.play("there?only=smell")
        server.log.wait(rf"player \w+ from {HOST} of /live/there refused: .*smell", since)


def test_a_publisher_that_the_api_disconnects_is_logged_as_that(tmp_path: Path) -> None:
    with Server(tmp_path) as server, Publisher(server.rtmp) as publisher:
        publisher.publish("one")
        publisher.tags([*headers(), *film(5)])
        id = server.streams()["one"]["publish"]["cid"]
        assert server.ask(f"clients/{id}", "DELETE")["code"] == 0
        assert publisher.closed()
        server.log.wait(f"publisher {id} of /live/one left: disconnected by the API")
        server.log.wait(f"api: {HOST} disconnects client {id} of /live/one")
