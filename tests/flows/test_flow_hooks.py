"""`http_hooks { }` with a real hook server: bodies as SRS sends them, its reply rules, and whom a slow hook delays."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from clip import Clip, end, push
from hookserver import HookServer, Reply
from player import Player
from rtmpplayer import RtmpPlayer
from server import HOST, Server, until, vhost_text

ALL = ("on_connect", "on_close", "on_publish", "on_unpublish", "on_play", "on_stop")


def status_of(server: Server, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{server.http}{path}", timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_life_of_clients_is_told_with_the_bodies_of_srs(serve: Callable[..., Server], h264: Clip) -> None:
    with HookServer() as hooks:
        server = serve(vhost_text(more=hooks.block(*ALL)))
        process = push(h264.path, server.publish_url("one?token=pubtok"), loop=True)
        until(lambda: "one" in server.streams(), "publish", 15)
        publisher = hooks.of("on_publish")[0].fields
        assert hooks.actions() == ["on_connect", "on_publish"]
        assert hooks.of("on_publish")[0].headers["content-type"] == "application/json"
        common = {
            "server_id": publisher["server_id"],
            "service_id": publisher["service_id"],
            "client_id": publisher["client_id"],
            "ip": HOST,
            "vhost": "__defaultVhost__",
            "app": "live",
        }
        place = {"tcUrl": f"rtmp://{HOST}:{server.rtmp}/live", "stream": "one", "param": "?token=pubtok"}
        stream = server.streams()["one"]
        assert publisher == {
            **common,
            **place,
            "action": "on_publish",
            "stream_url": "/live/one",
            "stream_id": stream["id"],
            "role": "primary",
        }
        assert hooks.of("on_connect")[0].fields == {
            **common,
            **place,
            "action": "on_connect",
            "pageUrl": "",
        }
        with Player(
            server.http, "/live/one.flv?token=playtok", headers=("Referer: http://a.example/p",)
        ) as player:
            player.until(lambda me: len(me.tags) > 5)
            played = hooks.of("on_play")[0].fields
            assert {**played, "client_id": "", "tcUrl": ""} == {
                **common,
                "client_id": "",
                "tcUrl": "",
                "action": "on_play",
                "stream": "one",
                "param": "?token=playtok",
                "pageUrl": "http://a.example/p",
                "stream_url": "/live/one",
                "stream_id": stream["id"],
            }
        stopped = hooks.wait("on_stop")[0].fields
        assert stopped == {
            **{name: value for name, value in played.items() if name != "pageUrl"},
            "action": "on_stop",
        }
        with RtmpPlayer(server.rtmp) as viewer:
            viewer.open("one")
            viewer.until(lambda me: len(me.tags) > 5)
        closed = hooks.wait("on_close")[0].fields
        assert closed["send_bytes"] > 20_000 and closed["recv_bytes"] > 100
        end(process)
        until(lambda: len(hooks.of("on_close")) == 2, "the connection of the publisher closes", 20)
        rtmp = [each.fields for each in hooks.told if each.fields["client_id"] == closed["client_id"]]
        assert [each["action"] for each in rtmp] == ["on_connect", "on_play", "on_stop", "on_close"]
        ours = [each.fields for each in hooks.told if each.fields["client_id"] == publisher["client_id"]]
        assert [each["action"] for each in ours] == ["on_connect", "on_publish", "on_unpublish", "on_close"]
        assert ours[2] == {**publisher, "action": "on_unpublish"}
        assert set(ours[-1]) == {*common, "action", "send_bytes", "recv_bytes"}
        assert hooks.connections < len(hooks.told), "connections are kept"
        assert not server.log.find("pubtok|playtok")


ANSWERS = {
    "0": (Reply(b"0"), 200),
    "an object": (Reply(b'{"code": 0, "data": "x"}'), 200),
    "created": (Reply(b"0", 201), 200),
    "1": (Reply(b"1"), 403),
    "a code": (Reply(b'{"code": 1}'), 403),
    "a text code": (Reply(b'{"code": "0"}'), 403),
    "a forbidden 0": (Reply(b"0", 403), 403),
    "nothing": (Reply(b""), 403),
    "words": (Reply(b"oops", 500), 403),
}


def test_anything_but_zero_refuses_a_player_and_the_urls_are_asked_in_order(
    serve: Callable[..., Server], h264: Clip
) -> None:
    with HookServer() as first, HookServer() as second:
        urls = f"{first.url('one')} {second.url('two', '?key=secret')}"
        server = serve(vhost_text(more=f"http_hooks {{ enabled on; on_play {urls}; }}"))
        process = push(h264.path, server.publish_url("one"), loop=True)
        until(lambda: "one" in server.streams(), "publish", 15)
        for what, (reply, status) in ANSWERS.items():
            first.replies["/one"] = reply
            asked = len(second.told)
            with Player(server.http, "/live/one.flv", flv=status == 200) as player:
                assert player.head().status == status, what
            assert len(second.told) - asked == (status == 200), what
        first.replies["/one"] = Reply()
        second.replies["/two"] = Reply(b"1")
        with RtmpPlayer(server.rtmp) as viewer:
            viewer.open("one").told("NetStream.Play.Failed")
        server.log.wait("from 127.0.0.1 of /live/one refused: forbidden, on_play answers with code 1")
        assert not server.log.find("secret")
        end(process)


def test_a_publisher_that_a_hook_refuses_is_told_so_and_leaves_no_stream(
    serve: Callable[..., Server], h264: Clip
) -> None:
    with HookServer() as hooks:
        server = serve(vhost_text(more=hooks.block(*ALL)))
        hooks.replies["/on_publish"] = Reply(b'{"code": 7}')
        process = push(h264.path, server.publish_url("one"))
        process.communicate(timeout=20)
        assert process.returncode != 0
        server.log.wait(
            r"publisher \w+ from \S+ of /live/one refused: forbidden, on_publish answers with code 7"
        )
        hooks.wait("on_close")
        assert hooks.actions() == ["on_connect", "on_publish", "on_close"]
        hooks.replies["/on_connect"] = Reply(b"1")
        denied = push(h264.path, server.publish_url("one"))
        denied.communicate(timeout=20)
        assert denied.returncode != 0
        assert hooks.actions()[3:] == ["on_connect"], "nothing is asked of a connection that is refused"


def test_a_hook_of_three_seconds_delays_its_own_client_alone(
    serve: Callable[..., Server], h264: Clip
) -> None:
    with HookServer() as slow, HookServer() as hooks:
        server = serve(
            vhost_text(more=hooks.block("on_publish", "on_play", "on_stop")),
            more=f"""vhost slow.example {{ {slow.block("on_publish", "on_play")} http_remux {{ enabled on; }} }}""",
        )
        process = push(h264.path, server.publish_url("one"), loop=True)
        until(lambda: "one" in server.streams(), "publish", 15)
        hooks.replies["/on_play"] = Reply(seconds=3)
        waiting = [Player(server.http, "/live/one.flv") for _ in range(20)]
        hooks.wait("on_play", 20)
        hooks.replies["/on_play"] = Reply()
        delays = []
        for _ in range(5):
            began = time.monotonic()
            with Player(server.http, "/live/one.flv") as player:
                player.until(lambda me: len(me.tags) > 2)
            delays.append(time.monotonic() - began)
        assert all(not player.status for player in waiting)
        began = time.monotonic()
        for player in waiting:
            player.until(lambda me: len(me.tags) > 2)
            player.close()
        print(f"joins beside a hook that takes 3 s: {[f'{1000 * each:.0f} ms' for each in delays]}")
        assert min(delays) < 0.1
        end(process)


def test_a_hook_server_that_is_away_refuses_with_503_and_a_kept_connection_that_it_closed_does_not(
    serve: Callable[..., Server], h264: Clip
) -> None:
    with HookServer() as hooks:
        server = serve(vhost_text(more=hooks.block("on_play", "on_stop")))
        process = push(h264.path, server.publish_url("one"), loop=True)
        until(lambda: "one" in server.streams(), "publish", 15)
        for _ in range(3):
            with Player(server.http, "/live/one.flv") as player:
                player.until(lambda me: len(me.tags) > 2)
            until(lambda: len(hooks.of("on_stop")) == len(hooks.of("on_play")), "on_stop", 10)
            hooks.drop_idle()
            until(lambda: not hooks.open, "connections close", 10)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://{HOST}:{server.http}/live/one.flv", timeout=20)
    assert (caught.value.code, caught.value.headers["Retry-After"]) == (503, "5")
    assert caught.value.read().decode() == "/live/one: the server of on_play does not answer"
    server.log.wait("WARNING.* on_play http://.* fails: ")
    end(process)


def test_who_is_admitted_and_never_plays_has_left_all_the_same(
    serve: Callable[..., Server], h264: Clip
) -> None:
    with HookServer() as hooks:
        server = serve(
            vhost_text(play="mw_latency 0; on_missing 20;", remux="on_missing 20;", more=hooks.block(*ALL))
        )
        with Player(server.http, "/live/nobody.flv"):
            hooks.wait("on_play")
        hooks.wait("on_stop")
        with RtmpPlayer(server.rtmp) as viewer:
            viewer.open("nobody")
            hooks.wait("on_play", 2)
        hooks.wait("on_close")
        assert hooks.actions()[2:] == ["on_connect", "on_play", "on_stop", "on_close"]
        process = push(h264.path, server.publish_url("one"), loop=True)
        until(lambda: "one" in server.streams(), "publish", 15)
        busy = push(h264.path, server.publish_url("one"))
        busy.communicate(timeout=20)
        hooks.wait("on_unpublish")
        hooks.wait("on_close", 2)
        assert hooks.actions()[-2:] == ["on_unpublish", "on_close"]
        end(process)
