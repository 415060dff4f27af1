"""What can be seen of a server from outside: its memory over time, its list of clients, its log."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.fanout import measure
from benchmarks.slow.figures import Memory

EVERY = 2.0  # seconds between two looks at memory
LEFT = re.compile(r"player \S+ of \S+ left: ([^;]*);(.*)")  # "...; 12 bytes in 3.4 s, 5 jumps"
COUNTS = re.compile(r"(\d+) ([a-z][a-z ]*)")


class MemoryCurve(threading.Thread):
    """Looks at a process's memory until it is told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self._began = time.monotonic()
        self._zero = self._began
        self._seen: list[tuple[float, measure.Memory]] = []

    def run(self) -> None:
        """Look, until stopped or the process is gone."""
        while not self._over.is_set():
            try:
                self._seen.append((time.monotonic(), measure.memory(self._pid)))
            except OSError:
                return
            self._over.wait(EVERY)

    def mark(self) -> None:
        """Now is second 0."""
        self._zero = time.monotonic()

    def stop(self) -> list[Memory]:
        """Return what was seen."""
        self._over.set()
        self.join()
        return [Memory(round(at - self._zero, 2), m.rss, m.pss) for at, m in self._seen]


def clients(api_port: int, count: int = 20000) -> list[dict[str, Any]]:
    """Return the rows of the server's list of clients; empty when it does not answer."""
    address = f"http://127.0.0.1:{api_port}/api/v1/clients?start=0&count={count}"
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            rows: list[dict[str, Any]] = json.load(answer).get("clients", [])
            return [row for row in rows if not row.get("publish")]
    except (OSError, ValueError):
        return []


STEPS = ("jumps", "dropped")  # fields that count what a player was spared
LAG = "lag_ms"


def told(rows: list[dict[str, Any]], before: set[str]) -> dict[str, float]:
    """Sum what the list of clients says of those that came later than *before*; only fields that it has."""
    slow = [row for row in rows if row["id"] not in before]
    found: dict[str, float] = {"listed": len(slow)}
    for field in STEPS:
        if any(field in row for row in slow):
            found[field] = sum(row.get(field, 0) for row in slow)
            found[f"others' {field}"] = sum(row.get(field, 0) for row in rows if row["id"] in before)
    if any(LAG in row for row in slow):
        found[f"{LAG} max"] = max(row.get(LAG, 0) for row in slow)
    return found


def farewells(log: Path) -> tuple[Counter[str], Counter[str]]:
    """Return why players left, and the sums of what the lines count, by what they call it (fastflv's log)."""
    why: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for line in log.read_text(errors="replace").splitlines():
        if found := LEFT.search(line):
            why[found[1]] += 1
            for count, what in COUNTS.findall(found[2].partition(",")[2]):
                sums[what.strip()] += int(count)
    return why, sums
