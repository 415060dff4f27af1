"""The program that is measured: a server in its event loop, and one task for each stream that reads it.

usage: program.py CONFIG STREAMS LOOP

CONFIG: text. STREAMS: names `live/livestream0` and so on. LOOP: `uvloop` or `asyncio`. Prints {"event":"listening"} with
the port of RTMP, and {"event":"read"} with what was read once all streams have ended. It uses the public API alone, so
another checkout can run it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

import uvloop

import fastflv

SCRIPT, VIDEO = 18, 9


async def read(server: fastflv.Server, path: str, found: Counter[str]) -> None:
    """Read one stream to its end, and count what a publisher counts: tags but script data and sequence headers."""
    reader = server.stream(path)
    tags = frames = size = 0
    async for tag in reader:
        if tag.config or tag.kind == SCRIPT:
            continue
        tags += 1
        frames += tag.kind == VIDEO
        size += len(tag)
    found.update(tags=tags, frames=frames, bytes=size, jumps=reader.jumps)


def say(event: str, **more: object) -> None:
    print(json.dumps({"event": event, **more}), flush=True)


async def main(config: str, streams: int) -> None:
    found: Counter[str] = Counter(tags=0, frames=0, bytes=0, jumps=0)
    async with fastflv.Server(config) as server:
        readers = [read(server, f"live/livestream{number}", found) for number in range(streams)]
        say("listening", port=server.ports("RTMP")[0])
        if readers:
            await asyncio.gather(*readers)
            say("read", **found)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    run = uvloop.run if sys.argv[3] == "uvloop" else asyncio.run
    run(main(sys.argv[1], int(sys.argv[2])))
