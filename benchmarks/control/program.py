"""The server that is measured, in an event loop that counts the processor time of its turns.

usage: program.py CONFIG

CONFIG: text. Prints {"event":"listening"} with the ports. Each line on stdin is answered by {"event":"turns"} with what
was counted since the last: turns, their time in all, and the longest, in milliseconds of the processor. The end of stdin ends it.
The server is what an embedded one runs in its thread; other checkouts have it too.
"""

from __future__ import annotations

import asyncio
import gc
import json
import selectors
import sys
from time import thread_time

import fastflv
from fastflv import limits
from fastflv.control.server import Server

SHOWN = 5
"Of the longest turns."


class MeteredSelector(selectors.EpollSelector):
    """Counts the time from one wait for sockets to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[float] = []
        self._began = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait as ever; a turn ends here, and the next one begins."""
        self.turns.append(thread_time() - self._began)
        found = super().select(timeout)
        self._began = thread_time()
        return found


def say(event: str, **more: object) -> None:
    print(json.dumps({"event": event, **more}), flush=True)


def report(selector: MeteredSelector) -> None:
    turns, selector.turns = selector.turns, []
    longest = sorted(turns, reverse=True)[:SHOWN]
    say(
        "turns",
        count=len(turns),
        sum_ms=round(1000 * sum(turns), 3),
        longest_ms=[round(1000 * each, 3) for each in longest],
    )


async def main(config: str, selector: MeteredSelector) -> None:
    loop = asyncio.get_running_loop()
    server = Server(fastflv.load_text(config), loop)
    await server.start()
    # As `fastflv` itself does.
    gc.freeze()
    # Checkouts from before these limits leave the thresholds of Python.
    _, young, full = gc.get_threshold()
    gc.set_threshold(
        limits.GC_OBJECTS, getattr(limits, "GC_YOUNG_LOOKS", young), getattr(limits, "GC_FULL_LOOKS", full)
    )
    say("listening", **{name.lower(): server.listeners.ports(name)[0] for name in ("RTMP", "HTTP", "API")})
    while await loop.run_in_executor(None, sys.stdin.readline):
        report(selector)
    await server.stop()


if __name__ == "__main__":
    meter = MeteredSelector()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(meter)) as runner:
        runner.run(main(sys.argv[1], meter))
