"""Deadlines of peers: moved without timers, and judged only when what lies in the sockets was read."""

from __future__ import annotations

import asyncio
import socket
import time

from model.http import looped
from model.loop import FakeLoop

from fastflv import limits
from fastflv.net.deadline import Deadline


class Owner:
    def __init__(self, loop, step: float = 0.0) -> None:
        self.loop = loop
        self.expired: list[float] = []
        self.deadline = Deadline(loop, lambda: self.expired.append(loop.time()), step=step)


def test_it_expires_once_at_the_time_set_last():
    loop = FakeLoop()
    owner = Owner(loop)
    began = loop.time()
    owner.deadline.set(5)
    loop.advance(3)
    owner.deadline.set(5)
    loop.advance(20)
    assert owner.expired == [began + 8]


def test_an_earlier_time_counts_at_once():
    loop = FakeLoop()
    owner = Owner(loop)
    began = loop.time()
    owner.deadline.set(50)
    owner.deadline.set(5)
    loop.advance(20)
    assert owner.expired == [began + 5]
    owner.deadline.set(3, since=began)
    loop.advance(0)
    assert owner.expired == [began + 5, began + 20]


def test_writing_when_a_peer_was_heard_moves_it():
    loop = FakeLoop()
    owner = Owner(loop, step=0.5)
    began = loop.time()
    owner.deadline.set(1)
    for _ in range(10):
        loop.advance(0.4)
        owner.deadline.heard = loop.time()
    assert not owner.expired
    loop.advance(2)
    assert began + 4.9 < owner.expired[0] <= began + 5.5


def test_one_that_is_cleared_or_cancelled_does_not_expire():
    loop = FakeLoop()
    cleared, cancelled = Owner(loop), Owner(loop)
    for owner in (cleared, cancelled):
        owner.deadline.set(5)
    cleared.deadline.clear()
    cancelled.deadline.cancel()
    cancelled.deadline.set(1)
    loop.advance(20)
    assert not cleared.expired and not cancelled.expired
    assert not loop.timers


def test_one_that_rings_late_waits_as_long_again():
    loop = FakeLoop()
    owner = Owner(loop)
    owner.deadline.set(5)
    loop.now += 8  # stopped: no timer rang meanwhile
    loop.advance(2.5)
    assert not owner.expired
    owner.deadline.heard = loop.time()
    loop.advance(4.9)
    assert not owner.expired
    loop.advance(0.2)
    assert len(owner.expired) == 1


def test_the_extension_is_no_longer_than_the_time_itself():
    loop = FakeLoop()
    owner = Owner(loop)
    owner.deadline.set(2)
    loop.now += 3600
    loop.advance(2)
    assert len(owner.expired) == 1


@looped
async def test_what_lies_in_the_socket_is_read_before_it_is_judged():
    """The loop is held up to just before the time, so that the timer is not late."""
    loop = asyncio.get_running_loop()
    here, there = socket.socketpair()
    here.setblocking(False)
    owner = Owner(loop)

    def read() -> None:
        here.recv(100)
        owner.deadline.heard = loop.time()

    loop.add_reader(here, read)
    for _ in range(5):
        owner.deadline.set(0.2)
        await asyncio.sleep(0)
        there.send(b"x")
        time.sleep(0.2 + limits.LATE_SECONDS / 2)
        await asyncio.sleep(0.02)
        assert not owner.expired
    loop.remove_reader(here)
    here.close()
    there.close()
    await asyncio.sleep(1)
    assert len(owner.expired) == 1
