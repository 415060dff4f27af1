"""A server of two worker processes, and which of them has a connection."""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path

from publisher import Publisher
from server import HOST, Server


class Workers(Server):
    """A server of two workers."""

    def __enter__(self) -> Workers:
        self._program = (*self._program, "--workers", "2")
        super().__enter__()
        self.log.wait("2 workers run", timeout=40)
        return self

    def pids(self) -> list[int]:
        """The processes of the workers, in the order of their numbers."""
        found = {}
        for line in self.log.find(r"worker \d is process \d+"):
            words = line.split()
            found[int(words[-4])] = int(words[-1])
        return [found[number] for number in sorted(found)]

    def metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(f"http://{HOST}:{self.api}/metrics", timeout=20) as answer:
            rows = [line.rpartition(" ") for line in answer.read().decode().splitlines() if line[0] != "#"]
        return {name: float(value) for name, _, value in rows}


def holds(pid: int, publisher: Publisher) -> bool:
    """Whether the process has the other end of a connection."""
    port = publisher.sock.getsockname()[1]
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if int(words[2].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{words[9]}]")
    return any(_target(each) in inodes for each in Path(f"/proc/{pid}/fd").iterdir())


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""
