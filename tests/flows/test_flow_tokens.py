"""`auth { }` on a running server: tokens of every form open every output and input, and nothing shows them."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator

import pytest
from broadcast import Broadcast
from player import Player, check_complete
from publisher import Publisher, film, headers
from reloading import Make
from server import HOST, Server, until, vhost_text
from signed import OTHER, SECRET, fetch, played, published, rtmp_played, token, watched

AUTH = f"auth {{ enabled on; key {SECRET}; }}"
HLS = "hls { enabled on; hls_fragment 1; }"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(vhost_text(more=f"{AUTH} {HLS}", remux="on_missing 0;"))


@pytest.fixture(scope="module")
def live(server: Server) -> Iterator[None]:
    with Broadcast(server.rtmp, f"x?token={token(action='publish')}"):
        until(lambda: "x" in server.streams(), "publish", 10)
        yield


def test_a_publisher_has_its_token_in_the_query_or_behind_its_key_or_its_server(server: Server) -> None:
    good = token(action="publish", path="live")
    assert published(server, f"one?token={good}") == "published"
    assert published(server, f"two/{good}") == "published"
    assert published(server, good, app="live/three") == "published"
    assert published(server, "four", app=f"live?token={good}") == "published"
    # The name is the stream's alone: it is what the log and players have.
    for name in ("one", "two", "three", "four"):
        server.log.wait(f"publisher \\w+ from {HOST} publishes /live/{name}$")


@pytest.mark.parametrize(
    "claims",
    [{"action": "play"}, {"path": "live/y"}, {"exp": 1_000_000}, {"ip": "192.0.2.1"}],
    ids=lambda claims: next(iter(claims)),
)  # fmt: skip
def test_a_publisher_with_a_wrong_token_is_refused(server: Server, claims: dict[str, object]) -> None:
    bad = token(**{"action": "publish", "path": "live", **claims})
    assert published(server, f"wrong?token={bad}") == "NetStream.Publish.Denied"
    assert published(server, "wrong") == "NetStream.Publish.Denied"


@pytest.mark.usefixtures("live")
def test_every_output_takes_the_token_of_its_url(server: Server) -> None:
    good, bad = token(), token(key=OTHER)
    assert played(server, f"/live/x.flv?token={good}") == 200
    assert played(server, "/live/x.flv", f"Authorization: Bearer {good}") == 200
    assert played(server, f"/live/x.m3u8?token={good}") == 200
    assert watched(server, f"/live/x.flv?token={good}") == 101
    assert rtmp_played(server, f"x?token={good}") == "media"
    assert rtmp_played(server, f"x/{good}") == "media"
    assert played(server, f"/live/x.flv?token={bad}") == 403
    assert played(server, f"/live/x.m3u8?token={bad}") == 403
    assert watched(server, f"/live/x.flv?token={bad}") == 3003
    assert rtmp_played(server, f"x?token={bad}") == "NetStream.Play.Failed"


@pytest.mark.usefixtures("live")
def test_a_player_without_a_token_is_told_what_to_bring(server: Server) -> None:
    with Player(server.http, "/live/x.flv", flv=False) as player:
        assert player.head().status == 401
        assert player.headers["www-authenticate"].startswith("Bearer")
        assert player.text() == "/live/x: 'play' needs a token"
    assert watched(server, "/live/x.flv") == 3000
    # A stream that is not there is no secret either: the token comes first.
    assert played(server, "/live/nobody.flv") == 401


@pytest.mark.usefixtures("live")
def test_a_push_has_its_token_in_the_query_or_in_its_head(server: Server) -> None:
    for query, field in (("?token=%s", ""), ("", "Authorization: Bearer %s")):
        good = token(action="publish", path="live/push")
        fields = [f"Host: {HOST}", "Transfer-Encoding: chunked", *([field % good] if field else [])]
        target = "/live/push.flv" + (query % good if query else "")
        with Player(server.http, target, method="POST", headers=tuple(fields[1:]), flv=False) as player:
            player.sock.sendall(b"0\r\n\r\n")
            # An empty body is no FLV; with a wrong token it would be 401 or 403.
            assert player.head().status == 400
    with Player(
        server.http, "/live/push.flv", method="POST", headers=("Content-Length: 0",), flv=False
    ) as none:
        assert none.head().status == 401


@pytest.mark.usefixtures("live")
def test_segments_inherit_the_consent_of_their_session_and_no_other_opens_them(server: Server) -> None:
    good = token()
    _, master = fetch(server, f"/live/x.m3u8?token={good}")
    own = next(line for line in master.splitlines() if line and not line.startswith("#"))
    segments: list[str] = []

    def listed() -> bool:
        _, text = fetch(server, own)
        assert good not in text
        segments[:] = [line for line in text.splitlines() if line and not line.startswith("#")]
        return bool(segments)

    until(listed, "a segment", 20)
    target = f"/live/{segments[-1].rpartition('/')[2]}"
    assert fetch(server, target)[0] == 200
    bare = target.partition("?")[0]
    assert fetch(server, bare)[0] == 401
    assert fetch(server, f"{bare}?hls_ctx=abcdefgh")[0] == 401
    assert fetch(server, f"{bare}?token={good}")[0] == 200
    # The playlist of another viewer has nothing of it either.
    _, other = fetch(server, f"/live/x.m3u8?token={token(jti='other')}")
    assert good not in other


@pytest.mark.usefixtures("live")
def test_nothing_shows_a_token(server: Server) -> None:
    good = token(jti="shown")
    with (
        Player(
            server.http, f"/live/x.flv?token={good}", headers=(f"Referer: http://a.example/?t={good}",)
        ) as one,
        Publisher(server.rtmp) as publisher,
    ):
        one.frames(1)
        publisher.connect(f"live/seen/{token(action='publish', path='live/seen')}")
        publisher.begin("")
        publisher.tags([*headers(), *film(5)])
        until(lambda: len(server.clients()) >= 3, "clients", 10)
        with urllib.request.urlopen(f"http://{HOST}:{server.api}/metrics", timeout=10) as answer:
            metrics = answer.read().decode()
        shown = f"{server.clients()} {server.streams()} {metrics}"
    assert "eyJ" not in shown
    assert "eyJ" not in server.log.text()
    assert SECRET not in server.log.text()


def test_a_reload_rotates_keys_and_drops_those_whose_key_is_gone(make: Make) -> None:
    server = make(vhost_text(more=f"auth {{ enabled on; apply play; key {SECRET}; }}"))
    with Broadcast(server.rtmp, "x"), Player(server.http, f"/live/x.flv?token={token()}") as player:
        player.frames(2)
        lines = server.change((f"key {SECRET};", f"key {OTHER} {SECRET};"))
        assert any("vhost __defaultVhost__.auth.key: (hidden) -> (hidden), at once" in line for line in lines)
        assert "0 clients are disconnected" in lines[-1]
        assert played(server, f"/live/x.flv?token={token(OTHER)}") == 200
        check_complete(player.frames(5))
        lines = server.change((f"key {OTHER} {SECRET};", f"key {OTHER};"))
        assert "1 clients are disconnected" in lines[-1]
        player.rest()
        assert played(server, f"/live/x.flv?token={token()}") == 403
    assert SECRET not in server.log.text() and OTHER not in server.log.text()
