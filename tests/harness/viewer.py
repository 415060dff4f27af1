"""An HTTP-FLV player within the loop of a test."""

from __future__ import annotations

import asyncio
from typing import Self

from embedded import GOP
from model.flv import VIDEO

import fastflv
from fastflv.containers.flv.reader import FlvReader, FlvTag


def number_in(tag: FlvTag) -> int:
    """Return the number of a picture of `embedded.Film`."""
    return int.from_bytes(tag.body[5:9], "big")


class Viewer:
    """Use as a context manager."""

    def __init__(self, server: fastflv.Server, path: str, *, host: str = "a") -> None:
        self.status = 0
        self.tags: list[FlvTag] = []
        self.ended = False
        self._server = server
        self._ask = f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode()
        self._flv = FlvReader()

    async def __aenter__(self) -> Self:
        port = self._server.ports("HTTP")[0]
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        self._writer.write(self._ask)
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._writer.close()

    async def answer(self) -> int:
        """Return the status once it has come."""
        if not self.status:
            self.status = int((await self._reader.readuntil(b"\r\n\r\n")).split()[1])
        return self.status

    @property
    def pictures(self) -> list[FlvTag]:
        return [tag for tag in self.tags if tag.kind == VIDEO and tag.body[1] == 1]

    @property
    def numbers(self) -> list[int]:
        """Numbers of the pictures that came."""
        return [number_in(tag) for tag in self.pictures]

    async def more(self, count: int) -> list[int]:
        """Read until *count* more pictures have come; return the numbers of all."""
        assert await self.answer() == 200
        wanted = len(self.pictures) + count
        while len(self.pictures) < wanted and not self.ended:
            data = await self._reader.read(65536)
            self.ended = not data
            self.tags += self._flv.feed(data)
        assert not self.ended, f"the stream ended behind {len(self.pictures)} pictures"
        return self.numbers

    async def reach(self, place: int) -> list[int]:
        """Read until the newest picture is the one at *place* of its GOP."""
        while not self.pictures or self.numbers[-1] % GOP != place:
            await self.more(1)
        return self.numbers


def check_whole(numbers: list[int]) -> None:
    """From a keyframe on, every picture once."""
    assert numbers[0] % GOP == 0
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
