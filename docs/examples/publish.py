"""Publish an FLV file as a live stream, again and again, at its own pace."""

import asyncio
import sys

import fastflv

HEADER_BYTES = 13
TAG_HEADER_BYTES, BACK_POINTER_BYTES = 11, 4


async def publish(server: fastflv.Server, path: str, film: bytes) -> None:
    """Publish the FLV file *film* once as *path*."""
    began = asyncio.get_running_loop().time()
    async with server.publish(path) as publisher:
        at = HEADER_BYTES
        while at < len(film):
            size = int.from_bytes(film[at + 1 : at + 4], "big")
            seconds = int.from_bytes(film[at + 4 : at + 7], "big") / 1000
            wait = began + seconds - asyncio.get_running_loop().time()
            if wait > 0:
                await asyncio.sleep(wait)
            end = at + TAG_HEADER_BYTES + size
            await publisher.write(film[at:end])
            at = end + BACK_POINTER_BYTES


async def main(config: str, file: str) -> None:
    with open(file, "rb") as opened:
        film = opened.read()
    async with fastflv.Server(config) as server:
        while True:
            await publish(server, "live/x", film)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
