"""Requests to a whole server: whatever a connection sends to the port of players or of the API, it is answered without an error in the log.

The first byte of an input chooses the port and what stands before the rest, which may be fields or a target. `{past}`, `{id}` and `{now}`
in it are a moment, a client and the time.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import struct
import tempfile
import time
from collections.abc import Coroutine
from contextlib import suppress
from importlib import resources
from itertools import count
from pathlib import Path
from typing import TypeVar

import fastflv
from fuzzing.targets import mp4_file
from fuzzing.targets.hls import AVC

CONF = """
listen 127.0.0.1:0;
http_server {{ enabled on; listen 127.0.0.1:0; dir {folder}; }}
http_api {{
    enabled on; listen 127.0.0.1:0;
    raw_api {{ enabled on; allow_reload off; }}
}}
vhost __defaultVhost__ {{
    http_remux {{ enabled on; on_missing 0; mount [vhost]/[app]/[stream].flv; }}
    http_static {{ enabled on; mount [vhost]/; dir {folder}; }}
    hls {{ enabled on; hls_fragment 1; hls_window 4; hls_path {folder}/hls; }}
    timeshift {{ window 60; }}
    record_api on;
    record_path {folder}/record;
    publish {{ grace 0; }}
    play {{ mw_latency 0; }}
}}
"""
BEFORE = (
    b"",
    b"GET /",
    b"GET /live/cam.flv?",
    b"GET /clip/live/cam.mp4?",
    b"GET /api/v1/",
    b"POST /flv/",
    b"DELETE /api/v1/",
    b"GET /live/cam.flv HTTP/1.1\r\nHost: a\r\n",
)
LINES = b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
PORTS = ("HTTP", "API")
SHORT = 40
"Inputs in the suite: a whole server takes its time."
REPLY_BYTES = 1 << 16
FIRST_SECONDS = 0.1
"For an answer; a player that waits for media gets none."
QUIET_SECONDS = 0.02
"Behind which nothing more is awaited."
SCRIPT = re.compile(rb"[A-Za-z0-9._-]{1,128}\((.*)\)", re.DOTALL)

SEEDS = tuple(
    bytes([port + 2 * BEFORE.index(before)]) + text
    for port, before, text in (
        (0, b"GET /live/cam.flv?", b"from=-2&chase=1.5" + LINES),
        (0, b"GET /live/cam.flv?", b"from={past}" + LINES),
        (0, b"GET /live/cam.flv?", b"from={now}&only=audio&start=gop" + LINES),
        (0, b"GET /clip/live/cam.mp4?", b"from=-3&to=-1" + LINES),
        (0, b"GET /clip/live/cam.mp4?", b"from={past}&to={now}" + LINES),
        (0, b"GET /", b"live/cam.m3u8?window=10" + LINES),
        (0, b"GET /", b"clip/live/cam.ts?from=-3&to=-1" + LINES),
        (0, b"GET /", b"film.flv?start=1.5s&end=3.0" + LINES),
        (0, b"GET /", b"film.mp4?start=1" + LINES),
        (0, b"GET /", b"film.flv?bstart=13&bend=200" + LINES),
        (0, b"GET /", b"api/v1/versions?callback=f" + LINES),
        (0, b"GET /live/cam.flv HTTP/1.1\r\nHost: a\r\n", b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x88\x80abcd"),
        (0, b"POST /flv/", b"record/start/live/cam" + LINES),
        (0, b"", b"POST /live/new.flv?publish=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\nFLV\1\5\0\0\0\x09\0\0\0\0"),
        (1, b"GET /api/v1/", b"clients?callback=f&method=DELETE" + LINES),
        (1, b"GET /api/v1/", b"clients/{id}?callback=f" + LINES),
        (1, b"DELETE /api/v1/", b"clients/{id}x" + LINES),
        (1, b"GET /api/v1/", b"streams?start=0&count=10" + LINES),
        (1, b"GET /api/v1/", b"raw?rpc=raw" + LINES),
        (1, b"GET /api/v1/", b"clients?ended=1&count=3" + LINES),
        (1, b"", b"POST /api/v1/tokens/revoke?jti=a&exp=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n{\"jti\":\"b\"}"),
        (1, b"GET /", b"metrics" + LINES),
        (1, b"POST /flv/", b"record/stop/live/cam" + LINES),
        (1, b"", b"OPTIONS /api/v1/streams HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\nAccess-Control-Request-Method: DELETE\r\n\r\n"),
    )
)  # fmt: skip
WORDS = (
    LINES, b"callback=", b"method=DELETE", b"from=", b"to=", b"chase=", b"window=", b"start=", b"end=", b"only=", b"-0", b"-2", b"1e9", b"nan",
    b"999999999999", b"-999999999999.999999", b"9999-12-31T23:59:59Z", b"0001-01-01T00:00:00+14:00", b"2026-W01-1T00", b"&", b"?", b"%00", b"%ff", b"%0d%0a",
    b"%e2%80%a8", b"..%2f", b"/", b"live/cam", b".flv", b".mp4", b".ts", b".aac", b".m3u8", b"streams", b"clients", b"vhosts/", b"summaries", b"raw?rpc=", b"query",
    b"record/list", b"record/status/live/cam", b"record/download/", b"tests/", b"vhost=", b"domain=", b"hls_ctx=", b"Range: bytes=0-5\r\n", b"Origin: null\r\n",
    b"Expect: 100-continue\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: Upgrade\r\nUpgrade: websocket\r\n", b"HEAD /", b"{past}", b"{id}",
)  # fmt: skip

Result = TypeVar("Result")


class Errors(logging.Handler):
    """Keeps the lines of the log that tell of a defect."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(logging.Formatter().format(record))


class Site:
    """A server in a loop of its own, with one stream that goes on with each request."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.errors = Errors()
        # The loop of the server logs what its calls fail at, as `asyncio`.
        for name in ("fastflv", "asyncio"):
            logging.getLogger(name).addHandler(self.errors)
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        (folder / "index.html").write_text("<p>page</p>")
        (folder / "film.flv").write_bytes(resources.files("fastflv.tools").joinpath("demo.flv").read_bytes())
        (folder / "film.mp4").write_bytes(mp4_file.SEEDS[1][2:])
        self.server = fastflv.Server(CONF.format(folder=folder))
        self.run(self.server.__aenter__())
        self.publisher = self.server.publish("live/cam")
        self.run(self.publisher.__aenter__())
        self.run(self.publisher.send(9, 0, b"\x17\0\0\0\0" + AVC))
        self._numbers = count()
        for _ in range(250):
            self.run(self.advance())
        self.ports = [self.server.ports(name)[0] for name in PORTS]

    def run(self, what: Coroutine[object, object, Result]) -> Result:
        return self.loop.run_until_complete(what)

    async def advance(self) -> None:
        """Publish one more picture of 40 ms; a second is a GOP."""
        number = next(self._numbers)
        unit = (b"\x41" if number % 25 else b"\x65") + number.to_bytes(4, "big") + bytes(20)
        head = (b"\x27" if number % 25 else b"\x17") + b"\1\0\0\0"
        await self.publisher.send(9, 40 * number, head + len(unit).to_bytes(4, "big") + unit)

    async def ask(self, port: int, data: bytes) -> bytes:
        """Send *data*; return what comes until the server closes, or has nothing to add."""
        await self.advance()
        now = int(time.time())
        data = data.replace(b"{now}", str(now).encode()).replace(b"{past}", str(now - 3).encode())
        data = data.replace(b"{id}", next((client.id for client in self.server.clients), "0").encode())
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[port])
        # No port is kept for the other end's last packets: there are some thousand connections a minute.
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        got = b""
        with suppress(OSError):
            writer.write(data)
            await writer.drain()
            # No end: it would be that of a player.
            with suppress(TimeoutError):
                while len(got) < REPLY_BYTES:
                    async with asyncio.timeout(QUIET_SECONDS if got else FIRST_SECONDS):
                        part = await reader.read(REPLY_BYTES)
                    if not part:
                        break
                    got += part
        writer.transport.abort()
        await asyncio.sleep(0)
        return got


SITES: list[Site] = []


def check(data: bytes) -> None:
    if not SITES:
        SITES.append(Site())
    [site] = SITES
    first = data[0] if data else 0
    got = site.run(site.ask(first % 2, BEFORE[first // 2 % len(BEFORE)] + data[1:]))
    assert not site.errors.lines, "\n".join(site.errors.lines)
    check_reply(got)


def check_reply(got: bytes) -> None:
    """Hold that what answers is HTTP, and that what says that it is JSON or a script is."""
    if not got or not got.startswith(b"HTTP/1."):
        # A connection is closed without a word where nobody asked.
        assert not got, got
        return
    head, _, body = got.partition(b"\r\n\r\n")
    status, fields = int(head[9:12]), head.lower()
    assert status in (100, 101) or 200 <= status < 500 or status in (501, 503, 505), head
    length = re.search(rb"\r\ncontent-length: (\d+)", fields)
    if length is None or len(body) < int(length[1]) or not body:
        return
    body = body[: int(length[1])]
    if b"content-type: application/json" in fields:
        json.loads(body)
    elif b"content-type: text/javascript" in fields:
        script = SCRIPT.fullmatch(body)
        assert script is not None, body
        json.loads(script[1])
