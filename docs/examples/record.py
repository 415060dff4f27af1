"""Record a stream as FLV into anything with `write`: a file, a pipe, an upload to an object storage."""

import asyncio
import sys
from typing import BinaryIO

import fastflv

PART_BYTES = 1 << 20


async def record(server: fastflv.Server, path: str, out: BinaryIO) -> int:
    """Write the stream *path* to *out* until it ends; return the bytes written."""
    part, written = bytearray(fastflv.flv_header(audio=True, video=True)), 0
    began: int | None = None
    async for tag in server.stream(path):
        if began is None and tag.kind != fastflv.SCRIPT:
            began = tag.time
        # The time of a stream counts from its first publish, that of the file from its first frame.
        part += tag.to_bytes(time=max(tag.time - (began or 0), 0))
        if len(part) >= PART_BYTES:
            # A storage is waited for on a thread. While it is slow, the log waits; then the reader jumps.
            written += await asyncio.to_thread(out.write, bytes(part))
            part.clear()
    return written + await asyncio.to_thread(out.write, bytes(part))


async def main(config: str, file: str) -> None:
    async with fastflv.Server(config) as server:
        with open(file, "wb") as out:
            print(await record(server, "live/x", out), "bytes")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
