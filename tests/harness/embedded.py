"""A server within the loop of a test, and a publisher of its own: the public API is all that is used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from itertools import count
from typing import Any

from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, inter, key, sound

import fastflv

CONF = """
listen 127.0.0.1:0;
http_server { enabled on; listen 127.0.0.1:0; }
http_api { enabled off; }
vhost __defaultVhost__ {
    http_remux { enabled on; on_missing 0; }
    publish { grace 0; }
    %s
}
"""
FRAME_MS = 40
GOP = 25


def conf(more: str = "") -> str:
    """Return the text of a configuration with free ports."""
    return CONF % more


def looped(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test in a loop of its own, 60 s at most: asyncio's own one unless it says otherwise."""

    @wraps(test)
    def run(*args: Any, **more: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **more), 60))

    return run


async def status_of(server: fastflv.Server, path: str, method: str = "GET") -> tuple[int, str]:
    """Ask over HTTP; return the status and the head of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.ports("HTTP")[0])
    length = "Transfer-Encoding: chunked\r\n" if method == "POST" else ""
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: a\r\n{length}\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    writer.close()
    return int(head.split()[1]), head


class Waiting:
    """A callback that waits until it is cancelled."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, request: fastflv.AccessRequest) -> fastflv.Verdict:
        self.asked.set()
        try:
            await asyncio.sleep(3600)
        finally:
            self.cancelled.set()
        return fastflv.ALLOW


class Film:
    """Numbers the frames that it sends, so that a loss shows: 25 pictures a second of media, a sound each, 1 s a GOP."""

    def __init__(self, publisher: fastflv.Publisher, size: int = 200) -> None:
        self.publisher = publisher
        self.sent = count()
        self._size = size

    async def begin(self) -> Film:
        await self.publisher.send(AUDIO, 0, AAC_HEADER)
        await self.publisher.send(VIDEO, 0, AVC_HEADER)
        return self

    async def frame(self) -> int:
        """Send a picture and a sound; return the number of the picture."""
        number = next(self.sent)
        mark = number.to_bytes(4, "big") + bytes(self._size)
        body = key(mark) if number % GOP == 0 else inter(mark)
        await self.publisher.send(VIDEO, number * FRAME_MS, body)
        await self.publisher.send(AUDIO, number * FRAME_MS, sound(mark[:4]))
        return number

    async def frames(self, count: int) -> None:
        for _ in range(count):
            await self.frame()


def number_of(tag: fastflv.MediaTag) -> int:
    """Return the number of a picture or sound."""
    return int.from_bytes(tag.data[:4], "big")


def is_picture(tag: fastflv.MediaTag) -> bool:
    return tag.kind == VIDEO and not tag.config
