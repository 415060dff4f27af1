"""A reload of rules, passwords and trusted proxies: those who are refused leave, and nobody else."""

from __future__ import annotations

import base64
import re
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest
from broadcast import Broadcast
from crowd import OUTPUTS, Crowd, Ports, Studio, viewer
from model.ports import free_ports
from player import Player, check_complete
from publisher import Publisher, Refused, film, headers
from reloading import DEFAULT, LEAN, MOUNTS, OTHER, ChangingServer, Make, change_of, status
from rtmpplayer import RtmpPlayer
from server import HOST, until, vhost_text
from tlsfiles import make_pair


def test_rules_disconnect_those_who_are_refused_now_and_nobody_else(make: Make, tmp_path: Path) -> None:
    pair, tls = make_pair(tmp_path), free_ports(1)[0]
    endings = " ".join(f"[vhost]/[app]/[stream].{ending}" for ending in ("flv", "ts", "aac"))
    server = make(
        vhost_text(publish=LEAN, more="hls { enabled on; hls_fragment 1; }").replace(
            MOUNTS, f"mount {endings};"
        ),
        web=f"https {{ enabled on; listen {tls}; cert {pair.cert}; key {pair.key}; }}",
    )
    ports = Ports(server.rtmp, server.http, tls)
    with (
        Crowd() as crowd,
        Studio(server.rtmp, ["one"]) as studio,
        Publisher(server.rtmp, source=OTHER) as other,
    ):
        other.publish("two")
        other.tags([*headers(), *film(5)])
        until(lambda: "one" in server.streams(), "publish")
        for output in OUTPUTS:
            for source in (HOST, OTHER):
                crowd.add(viewer(ports, output, "one", source))
        until(lambda: all(each.received > 5000 for each in crowd.viewers), "media for all", 30)
        lines = server.change(("publish {", f"security {{ enabled on; deny play {OTHER}; }} publish {{"))
        assert change_of(lines, f"{DEFAULT}.security") == (f"none -> deny play {OTHER}", "at once")
        assert f"{len(OUTPUTS)} clients are disconnected" in lines[-1]
        until(lambda: len(crowd.over(OTHER)) == len(OUTPUTS), "the end of those who are refused", 15)
        assert not crowd.over(HOST)
        assert {each.output: each.over for each in crowd.over() if each.output == "hls"} == {"hls": "403"}
        for output in ("flv", "https", "ts", "aac", "hls"):
            fresh = crowd.add(viewer(ports, output, "one", OTHER))
            until(lambda fresh=fresh: fresh.over == "403", f"{output} refused", 10)  # type: ignore[misc]
        fresh = crowd.add(viewer(ports, "ws", "one", OTHER))
        until(lambda: fresh.over == "code 3003", "ws refused", 10)
        with RtmpPlayer(server.rtmp, source=OTHER) as late:
            late.open("one").told("NetStream.Play.Failed")
        # The publisher from there may go on until a rule is for publishers.
        other.tags(film(5, start=200))
        lines = server.change((f"deny play {OTHER};", f"deny publish {OTHER};"))
        assert "1 clients are disconnected" in lines[-1]
        assert other.closed()
        with Publisher(server.rtmp, source=OTHER) as again, pytest.raises(Refused):
            again.publish("three")
        for output in OUTPUTS:
            back = crowd.add(viewer(ports, output, "one", OTHER))
            until(lambda back=back: back.received > 5000, f"{output} admitted again", 15)  # type: ignore[misc]
        assert not crowd.over(HOST), crowd.over(HOST)
        assert not studio.lost


def test_a_player_that_waits_is_refused_when_its_stream_comes_after_the_rule(make: Make) -> None:
    server = make(vhost_text(publish=LEAN, remux="on_missing 30;"))
    with Player(server.http, "/live/later.flv") as player:
        until(
            lambda: re.search(r"^fastflv_requests_waiting 1.0$", metrics(server), re.M), "a player that waits"
        )
        server.change(("publish {", "security { enabled on; allow publish all; } publish {"))
        with Broadcast(server.rtmp, "later"):
            assert player.head().status == 403


def test_a_page_that_may_not_embed_any_more_is_disconnected(make: Make) -> None:
    server = make(vhost_text(publish=LEAN))
    pages = [f"Referer: http://{host}/watch" for host in ("good.example.com", "bad.example.org")]
    with Broadcast(server.rtmp, "one"), ExitStack() as stack:
        good, bad = (
            stack.enter_context(Player(server.http, "/live/one.flv", headers=(page,))).frames(2)
            for page in pages
        )
        lines = server.change(("publish {", "refer { enabled on; play example.com; } publish {"))
        assert "1 clients are disconnected" in lines[-1]
        bad.rest()
        assert [status(server.http, "/live/one.flv", page) for page in pages] == [200, 403]
        check_complete(good.frames(10))


def metrics(server: ChangingServer) -> str:
    with urllib.request.urlopen(f"http://{HOST}:{server.api}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def test_the_api_asks_for_a_password_and_not_any_more(make: Make) -> None:
    server = make()
    block = f"http_api {{ enabled on; listen {server.api};"
    assert status(server.api, "/api/v1/streams", method="GET") == 200
    lines = server.change((block, f"{block} auth {{ enabled on; username me; password secret-one; }}"))
    assert change_of(lines, "http_api.auth.password") == ("(hidden) -> (hidden)", "at once")
    assert not any("secret-one" in line for line in server.log.lines)
    assert status(server.api, "/api/v1/streams", method="GET") == 401
    word = base64.b64encode(b"me:secret-one").decode()
    assert status(server.api, "/api/v1/streams", f"Authorization: Basic {word}", method="GET") == 200
    server.change(("auth { enabled on;", "auth { enabled off;"))
    assert status(server.api, "/api/v1/streams", method="GET") == 200


def test_crossdomain_is_switched_off_and_on(make: Make) -> None:
    server = make()

    def open_to_all(port: int, path: str) -> bool:
        with Player(port, path, headers=("Origin: http://elsewhere.example.com",), flv=False) as player:
            return player.head().headers.get("access-control-allow-origin") == "*"

    both = [(server.http, "/nothing.txt"), (server.api, "/api/v1/versions")]
    assert [open_to_all(*each) for each in both] == [True, True]
    lines = server.change(("http_api { enabled on;", "http_api { enabled on; crossdomain off;"))
    assert change_of(lines, "http_api.crossdomain") == ("on -> off", "at once")
    assert [open_to_all(*each) for each in both] == [True, False]
    lines = server.change(
        ("crossdomain off;", ""), ("http_server { enabled on;", "http_server { enabled on; crossdomain off;")
    )
    # The API follows the server where it says nothing itself.
    assert change_of(lines, "http_server.crossdomain") == ("on -> off", "at once")
    assert [open_to_all(*each) for each in both] == [False, False]
    server.change(("crossdomain off;", ""))
    assert [open_to_all(*each) for each in both] == [True, True]


def test_trusted_proxies_change_for_the_requests_that_follow(make: Make) -> None:
    rule = f"security {{ enabled on; allow publish all; allow play {OTHER}; }}"
    server = make(vhost_text(publish=LEAN, more=rule))
    claim = f"X-Forwarded-For: {OTHER}"
    with Broadcast(server.rtmp, "one"):
        until(lambda: "one" in server.streams(), "publish")
        assert status(server.http, "/live/one.flv", claim) == 403
        server.change(("daemon off;", f"daemon off; trusted_proxies {HOST};"))
        assert status(server.http, "/live/one.flv", claim) == 200
        server.change((f"trusted_proxies {HOST};", ""))
        assert status(server.http, "/live/one.flv", claim) == 403
