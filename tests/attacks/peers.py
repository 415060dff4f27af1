"""Peers of every kind that come, do what such a peer does, and leave, each in its way."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from httppush import HttpPush
from model.ports import free_ports
from player import Player
from publisher import Publisher, Refused, film, headers
from rtmpplayer import RtmpPlayer
from server import HOST, Server, vhost_text
from tlsfiles import make_pair, trusting
from wsclient import CLOSE, WebSocket, farewell

VHOSTS = vhost_text(
    play="mw_latency 0; on_missing 1;",
    remux="mount [vhost]/[app]/[stream].ts; on_missing 1;",
    more="hls { enabled on; }",
)
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


class Site(NamedTuple):
    """A server of every output, and its TLS ports."""

    server: Server
    https: int
    rtmps: int


@contextmanager
def every_output(folder: Path, program: Sequence[str] = ("-m", "fastflv")) -> Iterator[Site]:
    """Start a server of every output in *folder*."""
    https, rtmps = free_ports(2)
    pair = make_pair(folder)
    cert = f"cert {pair.cert}; key {pair.key};"
    web = f"https {{ enabled on; listen {https}; {cert} }}"
    more = f"rtmps {{ enabled on; listen {rtmps}; {cert} }}"
    with Server(folder, VHOSTS, web=web, more=more, program=program) as server:
        yield Site(server, https, rtmps)


class Peers:
    """Peers of every kind that come, do what such a peer does, and leave, each in its way."""

    def __init__(self, site: Site) -> None:
        server, https, rtmps = site
        self.server = server
        self.names = (f"{id(self):x}-{number}" for number in count())
        "Of streams that nobody else publishes."
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
        with HttpPush(self.server.http, f"/live/{next(self.names)}.flv") as push:
            push.begin([*headers(), *film(5)])
            push.finish()
        with HttpPush(self.server.http, f"/live/{next(self.names)}.flv") as push:
            push.begin([*headers(), *film(5)])
        with HttpPush(self.server.http, "/live/x.flv") as push:
            push.answer()

    def publish_rtmp(self) -> None:
        for ask in self.publish.values():
            with ask().publish(next(self.names)) as publisher:
                publisher.tags(headers())
                publisher.tags(film(5))
                publisher.begin(next(self.names))
                publisher.finish()
            with ask().connect() as publisher:
                # Half of a message.
                publisher.raw(b"\x04\0\0\0\x7f\xff\xff\x09\1\0\0\0" + bytes(1000))
            with ask().publish(next(self.names)) as publisher:
                publisher.raw(b"\xff" * 1000)
            with ask() as publisher, suppress(Refused):
                publisher.publish("x")

    def operate(self) -> None:
        for path in ("/api/v1/streams", "/api/v1/clients", "/api/v1/summaries", "/metrics"):
            with urllib.request.urlopen(f"http://{HOST}:{self.server.api}{path}", timeout=10) as answer:
                answer.read()


ACTS = (
    Peers.play_http, Peers.play_websocket, Peers.play_rtmp, Peers.push, Peers.publish_rtmp, Peers.operate,
)  # fmt: skip


def watching(server: Server) -> list[str]:
    """Players, but for viewers of HLS: those have no connection to be closed."""
    kinds = [row["type"] for row in server.clients() if not row["publish"]]
    return [kind for kind in kinds if kind != "hls-play"]
