"""Turns of the event loop: who asks much waits for its next turn, and media waits for nobody."""

from __future__ import annotations

import asyncio

import pytest
from model.http import looped
from model.loop import FakeLoop

from fastflv import limits
from fastflv.net import turns as module
from fastflv.net.deadline import after
from fastflv.net.turns import Turns


class Clock:
    """The clock of turns: each look costs *step* seconds."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class Peer:
    """Has *left* requests, and writes its name for each."""

    def __init__(self, turns: Turns, name: str, left: int, done: list[str]) -> None:
        self.turns = turns
        self.name = name
        self.left = left
        self.done = done

    def go_on(self) -> None:
        while self.left:
            if not self.turns.open():
                self.turns.queue(self.go_on)
                return
            self.left -= 1
            self.done.append(self.name)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two requests use a turn up."""
    monkeypatch.setattr(module, "perf_counter", Clock(0.6 * module.limits.TURN_SECONDS))


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """No turn ends by its time."""
    monkeypatch.setattr(module, "perf_counter", Clock(0.0))


def test_what_fits_into_a_turn_is_done_at_once():
    done: list[str] = []
    Peer(Turns(FakeLoop()), "a", 5, done).go_on()
    assert done == ["a"] * 5


@pytest.mark.usefixtures("slow")
def test_who_asks_much_waits_behind_all_others():
    loop = FakeLoop()
    turns, done = Turns(loop), []
    Peer(turns, "a", 9, done).go_on()
    before = len(done)
    assert before < 9
    for name in "bc":
        Peer(turns, name, 1, done).go_on()
    assert len(done) == before, "a newcomer does not overtake who waits"
    loop.turn()
    assert len(done) == 11
    assert {"b", "c"} <= set(done[before : before + 6])


@pytest.mark.usefixtures("slow")
def test_each_turn_brings_a_waiting_peer_on_however_long_its_request_takes():
    module.perf_counter.step *= 100
    loop = FakeLoop()
    turns, done = Turns(loop), []
    for name in "abc":
        Peer(turns, name, 3, done).go_on()
    loop.turn()
    assert sorted(done) == sorted("abc" * 3)


@pytest.mark.usefixtures("slow")
def test_an_exception_in_one_turn_strands_nobody():
    loop = FakeLoop()
    turns, done = Turns(loop), []
    turns.queue(lambda: 1 // 0)
    turns.queue(Peer(turns, "a", 2, done).go_on)
    with pytest.raises(ZeroDivisionError):
        loop.turn()
    loop.turn()
    assert done == ["a"] * 2


@looped
async def test_the_loop_serves_sockets_between_two_turns():
    turns = Turns(asyncio.get_running_loop())
    reader, writer = await asyncio.open_connection(sock=_pair(served := []))
    done: list[str] = []
    peer = Peer(turns, "a", 1 << 60, done)
    peer.go_on()
    writer.write(b"x")
    assert await asyncio.wait_for(reader.read(1), 10) == b"x"
    assert served
    peer.left = 0
    writer.close()


def _pair(served: list[bytes]):
    """One end of a pair of sockets; the loop echoes at the other."""
    import socket

    here, there = socket.socketpair()
    there.setblocking(False)
    loop = asyncio.get_running_loop()

    def echo() -> None:
        data = there.recv(100)
        served.append(data)
        if data:
            there.send(data)
        else:
            loop.remove_reader(there)
            there.close()

    loop.add_reader(there, echo)
    return here


class CountingLoop(FakeLoop):
    """Counts the turns that were asked for."""

    asked = 0

    def call_soon(self, call, *args):
        self.asked += 1
        return super().call_soon(call, *args)


@pytest.mark.usefixtures("frozen")
def test_a_turn_ends_after_so_many_peers_however_little_each_did():
    loop = CountingLoop()
    turns, done = Turns(loop), []
    for number in range(3 * limits.TURN_COUNT):
        turns.queue(lambda number=number: done.append((loop.asked, number)))
    loop.turn()
    assert [number for _, number in done] == list(range(3 * limits.TURN_COUNT))
    assert len({turn for turn, _ in done}) == 3


@pytest.mark.usefixtures("frozen")
def test_deadlines_that_are_due_at_one_moment_are_judged_in_turns():
    loop = CountingLoop()
    turns, judged = Turns(loop), []
    for _ in range(3 * limits.TURN_COUNT):
        after(turns, 5, lambda: judged.append(loop.asked))
    loop.now += 5
    for timer in list(loop.timers):
        timer.call()
    loop.turn()
    assert len(judged) == 3 * limits.TURN_COUNT
    assert len(set(judged)) == 3


def test_a_crowd_is_told_of_once_for_some_turns_with_something_queued_and_before_the_next_one():
    async def crowd() -> list[str]:
        turns = Turns(asyncio.get_running_loop())
        done: list[str] = []
        turns.crowded = lambda: done.append("crowd")
        for _ in range(2 * limits.TURN_CROWD * limits.TURN_COUNT + 1):
            turns.queue(lambda: done.append("peer"))
        while done.count("peer") <= 2 * limits.TURN_CROWD * limits.TURN_COUNT:
            await asyncio.sleep(0)
        # Turns without work are none.
        for _ in range(3 * limits.TURN_CROWD):
            turns.open()
            await asyncio.sleep(0)
        return done

    done = asyncio.run(crowd())
    assert done.count("crowd") == 2
    assert done.index("crowd") == limits.TURN_CROWD * limits.TURN_COUNT
