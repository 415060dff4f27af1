"""A whole server in this process, and who asks its HTTP API."""

from __future__ import annotations

import asyncio
import functools
import json
from contextlib import asynccontextmanager

import uvloop
from model.flv import AAC_HEADER, AVC_HEADER, Feed, inter, key, sound
from model.ports import free_ports

from fastflv.access.request import AccessRequest, Action
from fastflv.config.load import load_text
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.control.server import Server
from fastflv.net.peer import Peer
from fastflv.servers.api.recentlog import RecentLog
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.stream import StreamOptions

NAME = StreamName(DEFAULT_VHOST, "live", "a")
CONF = """
listen 127.0.0.1:{0};
daemon off;
srs_log_tank console;
http_server {{ enabled on; listen 127.0.0.1:{1}; }}
http_api {{ enabled on; listen 127.0.0.1:{2}; {more} }}
{top}
vhost __defaultVhost__ {{ {default} http_remux {{ enabled on; mount [vhost]/[app]/[stream].flv; }} }}
vhost b.example {{ }}
"""


def looped(test):
    @functools.wraps(test)
    def run(*args, **more):
        return uvloop.run(asyncio.wait_for(test(*args, **more), 30))

    return run


class Source:
    """The link of a publisher, which remembers that it was dropped."""

    sent = received = 0

    def __init__(self, id: str, dropped: list[tuple[str, EndReason]]) -> None:
        self.id, self.dropped = id, dropped

    def drop(self, reason: EndReason) -> None:
        self.dropped.append((self.id, reason))


class Caller:
    """Asks the API of a running server."""

    def __init__(self, server: Server, rtmp: int, http: int, api: int) -> None:
        self.server, self.rtmp, self.http, self.api = server, rtmp, http, api
        self.dropped: list[tuple[str, EndReason]] = []
        "Publishers that were disconnected, and why."

    async def raw(
        self, path: str, *fields: str, method: str = "GET", port: int = 0, host: str = "localhost"
    ) -> tuple[int, dict[str, str], bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port or self.api)
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *fields]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        first, *rest = head.decode().split("\r\n")
        return (
            int(first.split()[1]),
            {n.lower(): v for n, _, v in (line.partition(": ") for line in rest)},
            body,
        )

    async def get(self, path: str, **more) -> dict:
        status, fields, body = await self.raw(f"/api/v1/{path}", **more)
        assert (status, fields["content-type"]) == (200, "application/json")
        return json.loads(body)

    def publish(self, name: StreamName = NAME, id: str = "pub00001") -> Feed:
        stream = self.server.hub.publish(name, StreamOptions(merge_window_ms=0), id, 0)
        request = AccessRequest(
            Action.PUBLISH, Peer("127.0.0.1", "127.0.0.1"), id, name.vhost, name.app, name.stream, "fmle-publish",
            "rtmp", tc_url="rtmp://a/live",
        )  # fmt: skip
        link = Source(id, self.dropped)
        self.server.clients.add(Client(request, stream, link, asyncio.get_running_loop().time()))
        return Feed(stream.writer)

    async def play(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.http)
        writer.write(b"GET /live/a.flv HTTP/1.1\r\nHost: a\r\nReferer: http://page\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        return reader, writer


@asynccontextmanager
async def running(more: str = "", top: str = "", default: str = "", recent: RecentLog | None = None):
    """*recent*: the newest lines of the log; None: as in a server that is embedded."""
    ports = free_ports(3)
    settings = load_text(CONF.format(*ports, more=more, top=top, default=default))
    server = Server(settings, asyncio.get_running_loop(), recent=recent)
    await server.start()
    caller = Caller(server, *ports)
    try:
        yield caller
    finally:
        await server.stop()


def gop(caller: Caller, feed: Feed, name: StreamName = NAME) -> None:
    feed.audio(0, AAC_HEADER)
    feed.video(0, AVC_HEADER)
    feed.video(0, key(bytes(100)))
    feed.audio(0, sound())
    feed.video(40, inter())
    caller.server.hub.settle(caller.server.hub.find(name), 0)
