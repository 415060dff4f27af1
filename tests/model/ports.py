"""Ports for the servers of a test."""

from __future__ import annotations

import itertools
import os
import socket
from pathlib import Path

FIRST, SHARE, SHARES = 10_000, 2_500, 8
"Below what Linux gives to clients (32768 to 60999 unless somebody changed it): a share for each worker of pytest-xdist."


def _candidates() -> itertools.chain[int]:
    """Every port of this worker's share once, beginning somewhere else in each process."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert lowest >= FIRST + SHARE * SHARES, (
        f"clients may get ports from {lowest} on: raise ip_local_port_range"
    )
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST + worker % SHARES * SHARE
    start = os.getpid() * 97 % SHARE
    return itertools.chain(range(first + start, first + SHARE), range(first, first + start))


_untried = _candidates()


def free_ports(count: int) -> list[int]:
    """Return *count* ports of 127.0.0.1 that nobody listens on and that this process was not given before.

    They lie outside the range of client sockets, so that none is taken between this call and the server's start.
    """
    found: list[int] = []
    for port in _untried:
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("all ports of this process's range were used")
