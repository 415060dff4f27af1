"""HLS of a whole server in this process, with streams written directly, and the requests of a viewer."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import uvloop
from model import m3u8
from model.flv import AAC_HEADER, Feed
from model.loop import until
from model.ports import free_ports

from fastflv._ext.syntax.adts import adts as in_adts
from fastflv.config.load import load_text
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.control.server import Server
from fastflv.control.workerplace import WorkerPlace
from fastflv.servers.hls.muxer import HlsMuxer
from fastflv.stream.name import StreamName
from fastflv.stream.stream import StreamOptions

NAME = StreamName(DEFAULT_VHOST, "live", "cam")
OPTIONS = StreamOptions(merge_window_ms=0, grace_ms=5000)
AVC = "014d400dffe10019674d400deca0a0cfcf80880000030008000003019078a14cb001000468ce3c80"
"Main, 320x180, 25 fps."
AVC_HEADER = b"\x17\0\0\0\0" + bytes.fromhex(AVC)
OTHER_AVC_HEADER = b"\x17\0\0\0\0" + bytes.fromhex(AVC.replace("014d400d", "0142c01e", 1))
CONF = """
listen 127.0.0.1:{rtmp};
daemon off;
srs_log_tank console;
http_server {{ enabled on; listen 127.0.0.1:{http}; }}
vhost __defaultVhost__ {{
    {vhost}
    play {{ on_missing {on_missing}; }}
    http_remux {{ enabled on; mount [vhost]/[app]/[stream].flv; {remux} }}
    hls {{ enabled {enabled}; {hls} hls_fragment 2; hls_window 8; }}
}}
vhost plain.example {{ hls {{ enabled on; hls_fragment 2; hls_ctx off; }} }}
vhost off.example {{ hls {{ enabled off; }} }}
"""


def looped(test):
    @functools.wraps(test)
    def run(*args, **more):
        return uvloop.run(asyncio.wait_for(test(*args, **more), 60))

    return run


class Answer(NamedTuple):
    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


async def get(port: int, path: str, *fields: str, method: str = "GET") -> Answer:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *fields]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    first, *rest = head.decode().split("\r\n")
    return Answer(
        int(first.split()[1]), {n.lower(): v for n, _, v in (line.partition(": ") for line in rest)}, body
    )


WAITS = re.compile(r"reload: (\S+) counts for running streams from their next publish on")


class Lines(logging.Handler):
    """What a logger says while it is entered, a line each."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._logger = logging.getLogger(name)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())

    def __enter__(self) -> list[str]:
        self._level = self._logger.level
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self)
        return self._lines

    def __exit__(self, *error: object) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)


class Site:
    """A running server, and the requests of a viewer."""

    def __init__(self, server: Server, port: int, conf: Callable[..., str]) -> None:
        """*conf*: the configuration with other HLS directives of the default vhost."""
        self.server = server
        self.port = port
        self._conf = conf

    def reload(self, hls: str, *, enabled: bool = True) -> list[str]:
        """Reload with these HLS directives; return those that wait for the next publish, as the log names them."""
        with Lines("fastflv.control.server") as lines:
            self.server.reload(load_text(self._conf(hls, enabled=enabled)))
        return [found[1] for line in lines if (found := WAITS.fullmatch(line))]

    @property
    def muxer(self) -> HlsMuxer:
        """The only muxer."""
        (muxer,) = self.server.parts.hls.muxers
        return muxer

    async def get(self, path: str, *fields: str, method: str = "GET") -> Answer:
        return await get(self.port, path, *fields, method=method)

    async def join(self, path: str = "/live/cam.m3u8") -> str:
        """Become a viewer; return the URL of the playlist."""
        answer = await self.get(path)
        assert answer.status == 200, answer
        return m3u8.read_master(answer.text).uri

    async def media(self, url: str) -> m3u8.Media:
        answer = await self.get(url)
        assert answer.status == 200, answer
        return m3u8.read_media(answer.text)

    async def segments(self, url: str, count: int) -> m3u8.Media:
        """Wait for a playlist of *count* segments."""
        async with asyncio.timeout(10):
            while True:
                media = await self.media(url)
                if len(media.segments) >= count:
                    return media
                await asyncio.sleep(0.05)

    async def step(self, camera: Camera) -> None:
        """Publish a GOP, and wait until the playlist has changed."""
        before = self.muxer.text
        camera.run(1)
        await until(lambda: self.muxer.text not in ("", before))

    async def fetch(self, uri: str, base: str = "/live/") -> bytes:
        answer = await self.get(base + uri)
        assert answer.status == 200, (uri, answer)
        return answer.body


@asynccontextmanager
async def running(
    hls: str = "", on_missing: float = 1, remux: str = "", vhost: str = "", worker: WorkerPlace | None = None
):
    rtmp, http = free_ports(2)

    def conf(hls: str, *, enabled: bool = True) -> str:
        switch = "on" if enabled else "off"
        return CONF.format(
            rtmp=rtmp, http=http, hls=hls, enabled=switch, on_missing=on_missing, remux=remux, vhost=vhost
        )

    server = Server(load_text(conf(hls)), asyncio.get_running_loop(), worker=worker)
    await server.start()
    try:
        yield Site(server, http, conf)
    finally:
        await server.stop()


class Camera:
    """A publisher: pictures every 40 ms, a keyframe every second, sound every 20 ms."""

    def __init__(
        self,
        site: Site,
        name: StreamName = NAME,
        *,
        audio: bool = True,
        video: bool = True,
        adts: bool = False,
        options: StreamOptions = OPTIONS,
    ) -> None:
        """*adts*: sound has no header, its frames say what it is."""
        self.server = site.server
        self.name = name
        self.audio = audio
        self.adts = adts
        self.video = video
        self.options = options
        self.time = 0
        self.publish()

    def publish(self) -> None:
        self.stream = self.server.hub.publish(self.name, self.options, "publisher", self.time)
        self.feed = Feed(self.stream.writer)
        if self.audio and not self.adts:
            self.feed.audio(self.time, AAC_HEADER)
        if self.video:
            self.feed.video(self.time, AVC_HEADER)

    def run(self, seconds: float) -> None:
        """Publish that much media at once."""
        end = self.time + round(seconds * 1000)
        while self.time < end:
            key = self.time % 1000 == 0
            unit = (b"\x65" if key else b"\x41") + self.time.to_bytes(4, "big") + b"\x80" * 20
            if self.video and self.time % 40 == 0:
                head = (b"\x17" if key else b"\x27") + b"\1\0\0\0"
                self.feed.video(self.time, head + len(unit).to_bytes(4, "big") + unit)
            if self.audio:
                frame = self.time.to_bytes(4, "big") + b"\x55" * 16
                self.feed.audio(self.time, b"\xaf\1" + (in_adts(frame, 2, 4, 2) if self.adts else frame))
            self.time += 20
        self.server.hub.settle(self.stream, self.time + 10_000)

    @asynccontextmanager
    async def rolling(self, speed: float = 10):
        """Publish on and on, so much faster than in life."""

        async def roll() -> None:
            while True:
                self.run(0.02 * speed)
                await asyncio.sleep(0.02)

        task = asyncio.create_task(roll())
        try:
            yield self
        finally:
            task.cancel()

    def leave(self) -> None:
        self.server.hub.unpublish(self.stream, self.time)

    def end(self) -> None:
        self.leave()
        self.server.hub.expire(self.stream, self.time + OPTIONS.grace_ms)
