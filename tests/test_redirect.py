"""Who is sent where within a cluster: to the server that has the stream, to an edge with room, to a coworker of SRS."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from chain import api, node, port
from embedded import Film, looped
from hookserver import HookServer, Reply
from model.access import request
from model.loop import FakeLoop

from fastflv.access.request import Action
from fastflv.access.verdict import ALLOW, Redirected
from fastflv.cluster.coworkers import origin_of
from fastflv.cluster.directories import Directories
from fastflv.cluster.directory import NodeCard
from fastflv.cluster.options import DirectoryOptions
from fastflv.cluster.redirect import RedirectRule
from fastflv.net.httpclient import HttpReply
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import StreamOptions

URL = "redis://127.0.0.1:1"
CARD = NodeCard(addresses={"rtmp": "192.0.2.9:1935", "http": "192.0.2.9:8080", "https": "192.0.2.9:443"})


class Rule:
    """The rule of one vhost, beside one server that has `v/live/cam`."""

    def __init__(self, *, players: int = 0, kbps: int = 0, card: NodeCard = CARD, **options: object) -> None:
        self.options = DirectoryOptions(URL, **options)  # type: ignore[arg-type]
        self.hub = Hub(lambda: "id")
        self.here: set[StreamName] = set()
        "What other workers have."
        loop = FakeLoop()
        loop.create_task = lambda coroutine: coroutine.close()  # type: ignore[attr-defined]
        directories = Directories(
            loop,  # type: ignore[arg-type]
            self.hub,
            "me",
            options_of=lambda vhost: self.options,
            card=lambda url: NodeCard(),
        )
        directories.adopt({"v": self.options})
        directory = directories.at(URL)
        assert directory is not None
        directory.put("other", card, 1, {"v/live/cam": 1.0})
        self.rule = RedirectRule(
            directories, self._is_here, lambda vhost: self.options, lambda: (players, kbps)
        )

    def _is_here(self, name: StreamName) -> bool:
        return self.hub.find(name) is not None or name in self.here

    def ask(self, action: Action = Action.PLAY, **more: object) -> object:
        asked = replace(request(action, vhost="v"), stream="cam", **more)  # type: ignore[arg-type]
        return self.rule.ask(asked, lambda verdict: None)


PLAY = frozenset({"play"})


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({"scheme": "rtmp"}, "rtmp://192.0.2.9:1935/live/cam?vhost=v"),
        ({"scheme": "rtmp", "param": "?token=x"}, "rtmp://192.0.2.9:1935/live/cam?token=x&vhost=v"),
        ({"scheme": "http", "path": "/live/cam.flv"}, "http://192.0.2.9:8080/live/cam.flv?vhost=v"),
        ({"scheme": "wss", "path": "/live/ä b.ts"}, "wss://192.0.2.9:443/live/%C3%A4%20b.ts?vhost=v"),
        ({"scheme": "http", "path": "/a", "param": "?vhost=v"}, "http://192.0.2.9:8080/a?vhost=v"),
    ],
)
def test_a_player_is_sent_to_the_same_place_of_the_server_that_has_the_stream(more, url):
    assert Rule(redirect=PLAY).ask(**more) == Redirected(url)


def test_nobody_is_sent_where_his_scheme_is_not_spoken_or_where_it_is_off():
    assert Rule(redirect=PLAY).ask(scheme="rtmps") is ALLOW
    assert Rule().ask(scheme="rtmp") is ALLOW
    assert Rule(redirect=PLAY).ask(Action.PUBLISH, scheme="rtmp") is ALLOW
    assert Rule(redirect=PLAY).ask(Action.RECORD, scheme="http") is ALLOW


def test_a_publisher_is_sent_to_the_server_that_has_the_stream_where_that_is_asked_for():
    rule = Rule(redirect=frozenset({"publish"}))
    assert rule.ask(Action.PUBLISH, scheme="rtmp") == Redirected("rtmp://192.0.2.9:1935/live/cam?vhost=v")


def test_a_stream_that_is_here_is_played_here():
    rule = Rule(redirect=PLAY)
    rule.hub.publish(StreamName("v", "live", "cam"), StreamOptions(), "id", 0)
    assert rule.ask(scheme="rtmp") is ALLOW


def test_a_stream_of_another_worker_is_played_here():
    rule = Rule(redirect=PLAY)
    rule.here.add(StreamName("v", "live", "cam"))
    assert rule.ask(scheme="rtmp") is ALLOW


@pytest.mark.parametrize(
    ("load", "full"),
    [
        ({"players": 9, "max_players": 10}, False),
        ({"players": 10, "max_players": 10}, True),
        ({"kbps": 99, "max_kbps": 100}, False),
        ({"kbps": 100, "max_kbps": 100}, True),
        ({"players": 10, "kbps": 10}, False),
    ],
)
def test_an_edge_that_is_full_sends_players_to_one_with_room(load, full):
    room = NodeCard(addresses=CARD.addresses, edges=("v",))
    expected = Redirected("rtmp://192.0.2.9:1935/live/cam?vhost=v") if full else ALLOW
    assert Rule(edge=True, card=room, **load).ask(scheme="rtmp") == expected
    # Without one it serves them itself.
    assert Rule(edge=True, **load).ask(scheme="rtmp") is ALLOW


# --- origins of SRS ----------------------------------------------------------------------------------


def found(**origin: object) -> bytes:
    return json.dumps({"code": 0, "data": {"query": {}, "origin": origin or None}}).encode()


@pytest.mark.parametrize(
    ("body", "place", "faulty"),
    [
        (found(ip="192.0.2.9", port=1935), "192.0.2.9:1935", False),
        (found(ip="2001:db8::1", port=1935), "[2001:db8::1]:1935", False),
        (found(), "", False),
        (found(ip="", port=1935), "", True),
        (found(ip="a", port=0), "", True),
        (found(ip="a", port="1"), "", True),
        (b"[]", "", True),
        (b"{", "", True),
        (b'{"data":{"origin":7}}', "", True),
    ],
)
def test_the_answer_of_a_coworker_is_a_place_or_none(body, place, faulty):
    where, fault = origin_of(HttpReply(200, body))
    assert (where, bool(fault)) == (place, faulty)


def test_a_coworker_that_does_not_answer_is_a_fault():
    assert origin_of(HttpReply(0, b"", "no answer")) == ("", "no answer")
    assert origin_of(HttpReply(404, b"")) == ("", "status 404")


@looped
async def test_rtmp_players_are_sent_to_the_coworker_that_has_the_stream():
    with HookServer() as away:
        first = f"127.0.0.1:{away.port}"
        async with node(port(), "cluster { origin_cluster on; }") as origin:
            second = f"127.0.0.1:{origin.ports('API')[0]}"
            block = f"cluster {{ origin_cluster on; coworkers {first} {second}; }}"
            away.replies["/api/v1/clusters"] = Reply(found())
            async with node(port(), block) as server, origin.publish("live/x") as publisher:
                await (await Film(publisher).begin()).frames(30)
                assert await asyncio.to_thread(play, server, "live/x") == 25
                (told,) = away.of("api/v1/clusters")
                assert told.method == "POST"
                assert (
                    f"vhost=__defaultVhost__&ip=127.0.0.1&app=live&stream=x&coworker=127.0.0.1:{away.port}"
                    in told.target
                )
                assert not server.streams


def play(server: object, name: str) -> int:
    """The number of the first picture that an RTMP player has, wherever it is sent."""
    from fastflv.tools.source import open_source

    url = f"rtmp://127.0.0.1:{server.ports('RTMP')[0]}/{name}?start=gop"  # type: ignore[attr-defined]
    for tags in open_source(url, timeout=20).tags():
        for tag in tags:
            if tag.kind == 9 and tag.body[1] == 1:
                return int.from_bytes(tag.body[5:9], "big")
    raise AssertionError("no picture")


@looped
async def test_the_api_says_where_a_stream_is_published_as_srs_does():
    async with node(port()) as server, server.publish("live/x") as publisher:
        await (await Film(publisher).begin()).frames(3)
        rtmp, own = server.ports("RTMP")[0], server.ports("API")[0]
        query = "ip=10.0.0.1&vhost=__defaultVhost__&app=live&stream={}&coworker=192.0.2.5:1985"
        data = (await api(server, f"clusters?{query.format('x')}"))["data"]
        assert data["query"] == {"ip": "10.0.0.1", "vhost": "__defaultVhost__", "app": "live", "stream": "x"}
        assert data["origin"] == {
            "ip": "192.0.2.5", "port": rtmp, "vhost": "__defaultVhost__",
            "api": "192.0.2.5:1985", "routers": ["192.0.2.5:1985"],
        }  # fmt: skip
        assert (await api(server, f"clusters?{query.format('y')}"))["data"]["origin"] is None
        plain = (await api(server, "clusters?vhost=__defaultVhost__&app=live&stream=x"))["data"]["origin"]
        assert plain["port"] == rtmp and plain["api"].endswith(f":{own}")
