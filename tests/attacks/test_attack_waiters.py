"""Thousands who wait for one name that nobody publishes, and all leave at once."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from attack import Attack
from publisher import Publisher, film, headers
from server import HOST, MIB, until, vhost_text

from fastflv.control.process import raise_file_limit

WAITERS = 8000
CLOSE_MS = 0.08
"What the close of one connection costs, most of it the kernel's and the event loop's own: ends are no work that a turn could bound."


def waiting(attack: Attack, stack: ExitStack) -> None:
    """Have WAITERS players wait for the stream `absent`."""
    raise_file_limit()
    before = connections(attack)
    for _ in range(WAITERS):
        sock = stack.enter_context(socket.create_connection((HOST, attack.server.http), 60))
        sock.sendall(b"GET /live/absent.flv HTTP/1.1\r\nHost: a\r\n\r\n")
    until(lambda: connections(attack) == before + WAITERS, "all connected", 60)


def connections(attack: Attack) -> int:
    return int(attack.server.ask("summaries")["data"]["system"]["conn_srs"])


@pytest.mark.slow
def test_waiters_of_one_name_that_leave_at_once_hold_up_nobody(under_attack: Callable[..., Attack]) -> None:
    attack = under_attack(vhost_text(remux="on_missing 120;"), connections=9000)
    before = connections(attack)
    with ExitStack() as stack:
        waiting(attack, stack)
        with attack.measured():
            stack.close()
            until(lambda: connections(attack) == before, "all left", 60)
    attack.check_delay(WAITERS * CLOSE_MS)
    attack.check_memory(peak=20 * MIB)


@pytest.mark.slow
def test_waiters_of_one_name_that_begin_at_once_hold_up_nobody(under_attack: Callable[..., Attack]) -> None:
    attack = under_attack(vhost_text(remux="on_missing 120;"), connections=9000)
    with ExitStack() as stack:
        waiting(attack, stack)
        with attack.measured(), Publisher(attack.server.rtmp).publish("absent") as publisher:
            publisher.tags(headers())
            publisher.tags(film(5))
            until(lambda: attack.server.streams()["absent"]["clients"] == WAITERS + 1, "all play", 60)
    # All begin within a second, and their first sends share the cores with everybody else.
    attack.check_delay(250)
