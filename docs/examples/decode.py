"""Decode the keyframes of a stream to numpy arrays with PyAV: `pip install fastflv av numpy`."""

import asyncio
import sys
from collections.abc import AsyncIterator

import av
import numpy

import fastflv


async def pictures(server: fastflv.Server, path: str) -> AsyncIterator[numpy.ndarray]:
    """Yield each picture of an H.264 stream as height x width x 3 bytes of RGB."""
    decoder: av.VideoCodecContext | None = None
    async for tag in server.stream(path):
        if tag.kind != fastflv.VIDEO:
            continue
        if tag.config:
            decoder = av.VideoCodecContext.create("h264", "r")
            decoder.extradata = bytes(tag.data)
        elif decoder is not None and len(tag.data):
            if tag.jumped:
                decoder.flush_buffers()
            packet = av.Packet(tag.data)
            packet.pts, packet.dts = tag.time + tag.cts, tag.time
            # Decoding takes milliseconds: on a thread, it does not hold the loop.
            for frame in await asyncio.to_thread(decoder.decode, packet):
                yield frame.to_ndarray(format="rgb24")


async def main(config: str) -> None:
    async with fastflv.Server(config) as server:
        async for picture in pictures(server, "live/x"):
            print(picture.shape, picture.mean())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
