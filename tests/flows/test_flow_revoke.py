"""Tokens that are taken back by the API: who came by them goes within a second, and nobody else."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from typing import Any

import pytest
from broadcast import Broadcast
from player import Player
from publisher import Publisher, film, headers
from reloading import Make
from rtmpplayer import RtmpPlayer
from server import HOST, Server, until, vhost_text
from signed import SECRET, fetch, played, published, token
from wsclient import WebSocket

HLS = "hls { enabled on; hls_fragment 1; }"
AUTH = f"auth {{ enabled on; key {SECRET}; }}"


def ask(server: Server, query: str = "", method: str = "POST") -> tuple[int, dict[str, Any]]:
    """Ask for a revocation; return the status and what was said."""
    request = urllib.request.Request(f"http://{HOST}:{server.api}/api/v1/tokens/revoke{query}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, {"text": error.read().decode()}


@pytest.mark.parametrize("query", ["?jti=bad", "?path=live/x"])
def test_who_came_by_a_revoked_token_goes_within_a_second(make: Make, query: str) -> None:
    server = make(vhost_text(more=f"{HLS} {AUTH}", remux="on_missing 0;"))
    by_path = "path" in query
    push = token(action="publish", path="live/y" if by_path else "live/x", jti="bad")
    with ExitStack() as stack:
        stack.enter_context(
            Broadcast(server.rtmp, f"x?token={token(action='publish', jti='good', iat=time.time() + 60)}")
        )
        publisher = stack.enter_context(Publisher(server.rtmp))
        name = "y" if by_path else "x2"
        if not by_path:
            push = token(action="publish", path="live/x2", jti="bad")
        publisher.publish(f"{name}?token={push}")
        publisher.tags([*headers(), *film(5)])
        until(lambda: {"x", name} <= set(server.streams()), "publish", 10)
        bad = token(jti="bad")
        later = token(jti="good", iat=time.time() + 60)
        players = {
            text: stack.enter_context(Player(server.http, f"/live/x.flv?token={text}"))
            for text in (bad, later)
        }
        for player in players.values():
            player.frames(2)
        _, master = fetch(server, f"/live/x.m3u8?token={bad}")
        own = next(line for line in master.splitlines() if line and not line.startswith("#"))
        until(lambda: fetch(server, own)[0] == 200, "a playlist", 20)
        segment = next(
            line for line in fetch(server, own)[1].splitlines() if line and not line.startswith("#")
        )
        before = len(server.clients())
        began = time.monotonic()
        status, said = ask(server, query)
        assert status == 200 and said["code"] == 0
        assert said["dropped"] == (2 if by_path else 3)
        players[bad].rest()
        if by_path:
            # The publisher of another stream goes on.
            publisher.tags(film(5, start=200))
        else:
            assert publisher.closed()
        # Within a second, on a machine that has nothing else to do.
        assert time.monotonic() - began < 5
        until(lambda: len(server.clients()) == before - said["dropped"], "the clients leave", 10)
        assert fetch(server, own)[0] == 403
        # A segment has no token of its own: without its session it is asked for one.
        assert fetch(server, f"/live/{segment.rpartition('/')[2]}")[0] == 401
        assert played(server, f"/live/x.flv?token={bad}") == 403
        players[later].frames(5)
        assert played(server, f"/live/x.flv?token={later}") == 200
        assert server.log.find("left: token revoked")
        assert server.log.find("refused: forbidden, the token was revoked")
        row = ask(server, method="GET")[1]
        assert row["total"] == 1
        assert (row["revoked"][0]["jti"], row["revoked"][0]["path"]) == (
            ("", "live/x") if by_path else ("bad", "")
        )
        assert ask(server, query, "DELETE")[0] == 200
        assert ask(server, query, "DELETE")[0] == 404
        assert played(server, f"/live/x.flv?token={bad}") == 200
        assert not by_path or published(server, f"z?token={push}") == "NetStream.Publish.Denied"


def test_every_output_is_cut(make: Make) -> None:
    server = make(vhost_text(more=f"{HLS} auth {{ enabled on; apply play; key {SECRET}; }}"))
    with (
        Broadcast(server.rtmp, "x"),
        WebSocket(server.http, f"/live/x.flv?token={token(jti='bad')}") as socket,
        RtmpPlayer(server.rtmp) as player,
    ):
        socket.until(lambda me: len(me.messages) > 2)
        player.open(f"x/{token(jti='bad')}")
        player.frames(2)
        assert ask(server, "?jti=bad&exp=1")[1]["dropped"] == 2, (
            "a token that is over, too: what it began goes on"
        )
        assert ask(server, method="GET")[1]["total"] == 0
        socket.until(lambda me: me.code > 0)
        assert player.rest().ended


def test_what_cannot_be_revoked_is_refused(make: Make) -> None:
    server = make(vhost_text(more=AUTH))
    for query in ("", "?jti=a&path=b", "?jti=", "?path=", "?jti=a&exp=soon", f"?jti={'a' * 257}"):
        status, said = ask(server, query)
        assert status == 400 and "give one of jti and path" in said["text"]
    assert ask(server, "?jti=nobody", "DELETE")[0] == 404
    end = int(time.time()) + 60
    assert ask(server, f"?jti=later&exp={end}")[1]["revoked"]["exp"] == end
    assert ask(server, "?path=/")[1]["revoked"]["path"] == ""
