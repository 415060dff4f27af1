"""Joins of mpegts.js in Chromium, one after the other at random moments of the GOP."""

from __future__ import annotations

import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.session import Bench, Live
from benchmarks.joins.trial import SEED

sys.path += [
    str(Path(__file__).parents[2] / "tests" / part) for part in ("", "harness")
]  # the browser of the tests
from browser import Browser, Source

PAGE = Path(__file__).parent / "joins.html"
WARM = "first@0"
PATIENCE = 30.0  # seconds a join, at most


@dataclass(frozen=True, slots=True)
class Watched:
    """What one player in the browser told."""

    error: str
    shown_ms: float | None
    "From the request to the first picture."

    buffer_s: float | None
    "`buffered.end - currentTime` 3 s after play began."

    last_s: float | None
    "Likewise 8 s after it."

    waits: tuple[int, ...]
    "When it had to wait, ms after play began, until 8 s after it."

    frames: int
    dropped: int


def watch(bench: Bench, live: Live, joins: int, gop: int) -> list[Watched]:
    """Let a page play that many times; once more before, not counted: a browser's first play is slow."""
    chance = random.Random(SEED)
    kind = "mpegts" if live.settings.protocol == "ts" else "flv"
    pauses = [chance.randrange(1000 * gop) for _ in range(joins)]
    sources = {WARM: Source(kind, live.url)}
    sources |= {f"{number}@{pause}": Source(kind, live.url) for number, pause in enumerate(pauses)}
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        try:
            browser = Browser(sources, Path(folder), PAGE)
        except pytest.skip.Exception as missing:
            raise BenchError(str(missing)) from None
        with browser:
            said = browser.wait(lambda said: True, 120)
            if not said["supported"]:
                raise BenchError("this Chromium has no Media Source Extensions")
            browser.go()
            for done in range(1, joins + 2):
                bench.progress.say(f"Chromium: join {done - 1} of {joins}")
                said = browser.wait(
                    lambda said, want=done: sum(p["done"] for p in said["players"].values()) >= want,
                    gop + PATIENCE,
                )
    players = [p for name, p in said["players"].items() if p["done"] and name != WARM]
    if len(players) < joins:
        raise BenchError(f"only {len(players)} of {joins} joins came to their end")
    return [
        Watched(p["error"], p["shown"], p["buffer"], p["last"], tuple(p["waits"]), p["frames"], p["dropped"])
        for p in players
    ]


def middle(values: list[float | None]) -> float | None:
    """Return the median of those that there are."""
    found = [v for v in values if v is not None]
    return median(found) if found else None
