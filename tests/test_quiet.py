"""Quiet sockets: those of silent peers are watched apart, and what they say or how they end is noticed all the same."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from model.http import looped
from model.loop import until

from fastflv import limits
from fastflv.net.quiet import QuietSockets


class Line(asyncio.Protocol):
    """The server's side of a connection: it keeps what it is sent."""

    def __init__(self, quiet: QuietSockets) -> None:
        self.quiet = quiet
        self.read = b""
        self.lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.quiet.heard(transport)

    def data_received(self, data: bytes) -> None:
        self.read += data
        self.quiet.heard(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.quiet.forget(self.transport)
        self.lost = True


@asynccontextmanager
async def lines(count: int) -> AsyncIterator[tuple[QuietSockets, list[Line], list[socket.socket]]]:
    """So many connections, the newest last, and their clients' ends."""
    loop = asyncio.get_running_loop()
    quiet = QuietSockets(loop)
    made, clients = [], []
    try:
        for _ in range(count):
            ours, theirs = socket.socketpair()
            clients.append(theirs)
            made.append((await loop.connect_accepted_socket(lambda: Line(quiet), ours))[1])
        yield quiet, made, clients
    finally:
        quiet.close()
        for line, client in zip(made, clients, strict=True):
            line.transport.abort()
            client.close()
        await until(lambda: all(line.lost for line in made))


def reading(lines: list[Line]) -> list[bool]:
    return [line.transport.is_reading() for line in lines]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "QUIET_READ_COUNT", 2)
    monkeypatch.setattr(limits, "QUIET_WAKE_COUNT", 3)


@looped
async def test_the_loop_reads_those_that_were_heard_last():
    async with lines(4) as (_, made, clients):
        assert reading(made) == [False, False, True, True]
        clients[0].sendall(b"a")
        await until(lambda: made[0].read)
        assert reading(made) == [True, False, False, True]


@looped
async def test_whatever_silent_peers_say_is_read():
    async with lines(20) as (_, made, clients):
        for word in (b"a", b"b"):
            for client in clients:
                client.sendall(word)
            await until(lambda word=word: all(line.read.endswith(word) for line in made))
        assert all(line.read == b"ab" for line in made)


@looped
async def test_peers_that_leave_at_once_are_noticed_some_in_each_turn():
    async with lines(20) as (_, made, clients):
        for client in clients:
            client.close()
        seen = []
        while not all(line.lost for line in made):
            seen.append(sum(line.lost for line in made))
            await asyncio.sleep(0)
        steps = [later - now for now, later in pairwise(seen)]
        assert max(steps) <= limits.QUIET_WAKE_COUNT + limits.QUIET_READ_COUNT


@looped
async def test_one_that_is_forgotten_is_read_by_the_loop():
    async with lines(4) as (quiet, made, clients):
        quiet.forget(made[0].transport)
        quiet.forget(made[0].transport)
        assert reading(made) == [True, False, True, True]
        clients[0].close()
        await until(lambda: made[0].lost)


@looped
async def test_one_whose_transport_closes_by_itself_is_nobody_elses():
    async with lines(4) as (_, made, clients):
        # A duplicate keeps the socket, as that of a sender thread does.
        kept = os.dup(made[0].transport.get_extra_info("socket").fileno())
        made[0].transport.abort()
        await until(lambda: made[0].lost)
        clients[0].close()
        clients[1].sendall(b"b")
        await until(lambda: made[1].read)
        os.close(kept)
        assert not made[1].lost


@looped
async def test_at_the_end_the_loop_reads_all():
    async with lines(4) as (quiet, made, _):
        quiet.close()
        assert all(reading(made))
        quiet.heard(made[0].transport)
        assert all(reading(made))


@looped
async def test_without_room_in_the_kernel_the_loop_reads_on(monkeypatch):
    class Full:
        def register(self, fd: int, events: int) -> None:
            raise OSError(28, "no space left")

        def fileno(self) -> int:
            return poll.fileno()

        def close(self) -> None:
            poll.close()

    poll = select.epoll()
    monkeypatch.setattr(select, "epoll", Full)
    async with lines(4) as (_, made, clients):
        assert all(reading(made))
        clients[0].close()
        await until(lambda: made[0].lost)


@looped
async def test_a_descriptor_that_is_anothers_by_now_stays_with_that():
    async with lines(3) as (quiet, made, _):
        assert reading(made) == [False, True, True]
        made[0].quiet = QuietSockets(asyncio.get_running_loop())
        fd = made[0].transport.get_extra_info("socket").fileno()
        made[0].transport.abort()
        await until(lambda: made[0].lost)
        ours, theirs = socket.socketpair()
        assert ours.fileno() == fd
        readable: list[int] = []
        quiet.watch(fd, lambda: readable.append(fd))
        quiet.forget(made[0].transport)
        theirs.send(b"a")
        await until(lambda: readable)
        quiet.drop(fd)
        ours.close()
        theirs.close()


@looped
async def test_a_socket_without_a_transport_is_watched_once_until_it_is_dropped():
    quiet = QuietSockets(asyncio.get_running_loop())
    pairs = [socket.socketpair() for _ in range(10)]
    readable: list[int] = []
    for number, (ours, _) in enumerate(pairs):
        quiet.watch(ours.fileno(), lambda number=number: readable.append(number))
    quiet.drop(pairs[4][0].fileno())
    for _, theirs in pairs:
        theirs.close()
    await until(lambda: len(readable) == 9)
    for ours, _ in pairs:
        quiet.drop(ours.fileno())
        ours.close()
    assert sorted(readable) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    quiet.close()
