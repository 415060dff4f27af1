"""What is over is freed at once: logs, half messages and TLS buffers do not wait for the collector of cycles."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from broadcast import Broadcast
from httppush import HttpPush
from model.ports import free_ports
from player import Player
from publisher import Publisher, Refused, film, headers
from rtmpplayer import RtmpPlayer
from server import HOST, Server, until, vhost_text
from tlsfiles import make_pair, trusting
from wsclient import CLOSE, WebSocket, farewell

SCRIPT = Path(__file__).with_name("withoutcollector.py")
VHOSTS = vhost_text(remux="mount [vhost]/[app]/[stream].ts; on_missing 1;", more="hls { enabled on; }")
TARGETS = (
    "x.flv",
    "x.ts",
    "x.aac",
    "x.mp3",
    "x.flv?only=video",
    "x.flv?hevc=legacy",
    "x.m3u8",
    "absent.flv",
    "no",
)


class Peers:
    """Peers of every kind that come, do what such a peer does, and leave, each in its way."""

    def __init__(self, server: Server, https: int, rtmps: int) -> None:
        self.server = server
        self.web = {"http": partial(Player, server.http), "https": partial(Player, https, tls=trusting())}
        self.ws = {
            "ws": partial(WebSocket, server.http),
            "wss": partial(WebSocket, https, tls=trusting()),
        }
        self.rtmp = {
            "rtmp": partial(RtmpPlayer, server.rtmp),
            "rtmps": partial(RtmpPlayer, rtmps, tls=trusting()),
        }
        self.publish = {
            "rtmp": partial(Publisher, server.rtmp),
            "rtmps": partial(Publisher, rtmps, tls=trusting()),
        }

    def play_http(self) -> None:
        for ask in self.web.values():
            for target in TARGETS:
                for method in ("GET", "HEAD"):
                    with ask(f"/live/{target}", flv=False, method=method) as player:
                        player.head()
                with ask(f"/live/{target}", flv=False):
                    pass
            with ask("/live/x.m3u8", flv=False) as player:
                assert player.text().startswith("#EXTM3U")

    def play_websocket(self) -> None:
        for ask in self.ws.values():
            with ask("/live/x.flv") as player:
                player.frames(1)
            with ask("/live/x.flv?only=video") as player:
                player.frames(1)
                player.send(CLOSE, farewell(1000))
                player.rest()
            with ask("/live/x.flv") as player:
                player.frames(1)
                player.raw(b"\xff" * 100)
                player.rest()

    def play_rtmp(self) -> None:
        for ask in self.rtmp.values():
            for name in ("x", "x?only=video"):
                with ask().open(name) as player:
                    player.frames(1)
            with ask().open("x") as player:
                player.frames(1)
                player.say("deleteStream", 1.0, stream=0)
                player.heard_of()
            with ask().open("absent"):
                pass
            with ask().open("absent") as player:
                player.rest()

    def push(self) -> None:
        with HttpPush(self.server.http, "/live/pushed.flv") as push:
            push.begin([*headers(), *film(5)])
            push.finish()
        with HttpPush(self.server.http, "/live/pushed.flv") as push:
            push.begin([*headers(), *film(5)])
        with HttpPush(self.server.http, "/live/x.flv") as push:
            push.answer()

    def publish_rtmp(self) -> None:
        for ask in self.publish.values():
            with ask().publish("a") as publisher:
                publisher.tags(headers())
                publisher.tags(film(5))
                publisher.begin("b")
                publisher.finish()
            with ask().connect() as publisher:
                # Half of a message.
                publisher.raw(b"\x04\0\0\0\x7f\xff\xff\x09\1\0\0\0" + bytes(1000))
            with ask().publish("c") as publisher:
                publisher.raw(b"\xff" * 1000)
            with ask() as publisher, suppress(Refused):
                publisher.publish("x")

    def operate(self) -> None:
        for path in ("/api/v1/streams", "/api/v1/clients", "/api/v1/summaries", "/metrics"):
            with urllib.request.urlopen(f"http://{HOST}:{self.server.api}{path}", timeout=10) as answer:
                answer.read()


def watching(server: Server) -> list[str]:
    """Players, but for viewers of HLS: those have no connection to be closed."""
    kinds = [row["type"] for row in server.clients() if not row["publish"]]
    return [kind for kind in kinds if kind != "hls-play"]


@pytest.mark.parametrize(
    "act",
    [Peers.play_http, Peers.play_websocket, Peers.play_rtmp, Peers.push, Peers.publish_rtmp, Peers.operate],
)
def test_no_peer_leaves_a_cycle_behind(tmp_path: Path, act: Callable[[Peers], None]) -> None:
    https, rtmps = free_ports(2)
    pair = make_pair(tmp_path)
    cert = f"cert {pair.cert}; key {pair.key};"
    web = f"https {{ enabled on; listen {https}; {cert} }}"
    more = f"rtmps {{ enabled on; listen {rtmps}; {cert} }}"
    program = (str(SCRIPT), str(tmp_path))
    with Server(tmp_path, VHOSTS, web=web, more=more, program=program) as server:
        # It goes on meanwhile: who says nothing is seen to be gone when it is sent something.
        with Broadcast(server.rtmp, "x"):
            act(Peers(server, https, rtmps))
            until(lambda: not watching(server), "all players have left", 20)
        until(lambda: not server.streams(), "all streams have ended", 20)
        (tmp_path / "ask").touch()
        until((tmp_path / "garbage").exists, "the collector", 20)
    found = json.loads((tmp_path / "garbage").read_text())
    assert not {name: count for name, count in found.items() if name.startswith("fastflv")}, found
    assert sum(found.values()) < 100, found
