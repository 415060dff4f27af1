"""The program that is measured: a server in its event loop, and one task for each stream that reads it.

usage: program.py CONFIG STREAMS LOOP [HOLD BLOCK_MS]

CONFIG: text. STREAMS: names `live/livestream0` and so on. LOOP: `uvloop` or `asyncio`. HOLD: `sleep` or `compute`, how the callback
of a play of `live/held` holds the loop for BLOCK_MS. Prints {"event":"listening"} with the ports of RTMP and HTTP, and {"event":"read"} with what was read once all streams have ended. It uses the public API alone, so
another checkout can run it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable

import uvloop

import fastflv

SCRIPT, VIDEO = 18, 9


def compute(seconds: float) -> None:
    """Hold the loop and the lock of the interpreter, as far as Python lets a thread."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


HOLDS: dict[str, Callable[[float], None]] = {"sleep": time.sleep, "compute": compute}


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


async def main(config: str, streams: int, hold: Callable[[float], None], hold_seconds: float) -> None:
    found: Counter[str] = Counter(tags=0, frames=0, bytes=0, jumps=0)

    async def on_play(request: fastflv.AccessRequest) -> fastflv.Verdict:
        if request.stream == "held":
            hold(hold_seconds)
        return fastflv.ALLOW

    async with fastflv.Server(config, on_play=on_play) as server:
        readers = [read(server, f"live/livestream{number}", found) for number in range(streams)]
        say("listening", port=server.ports("RTMP")[0], http=[*server.ports("HTTP"), 0][0])
        if readers:
            await asyncio.gather(*readers)
            say("read", **found)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    run = uvloop.run if sys.argv[3] == "uvloop" else asyncio.run
    words = [*sys.argv[4:], "sleep", "0"]
    run(main(sys.argv[1], int(sys.argv[2]), HOLDS[words[0]], float(words[1]) / 1000))
