"""Rests of the event loop: a crowd that joins is served some players at a time, and nobody waits for long."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from types import SimpleNamespace

import pytest
from model.apisite import gop, looped, running
from model.loop import until

from fastflv import limits
from fastflv.net.rests import Rests

LONG = 5.0
"A rest that a test cannot overlook, seconds."

CROWD = int(limits.CROWD_RATE * limits.CROWD_SPAN_SECONDS)
"Players in one span that are just a crowd."


class Scene:
    """Rests of a loop whose turns the test ends, by a clock that it moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.soon = []
        self.turns = SimpleNamespace(waits=False)
        self.rests = Rests(SimpleNamespace(call_soon=self.soon.append), self.turns, lambda: self.now)
        self.turn()

    def turn(self, players: int = 1, *, after: float = 0.0) -> bool:
        """A turn that ends *after* seconds, in which *players* came; return whether the loop rested."""
        self.now += after
        before = self.rests.taken
        for _ in range(players):
            self.rests.count()
        calls, self.soon[:] = self.soon[:], []
        for call in calls:
            call()
        return self.rests.taken > before

    def crowd(self) -> None:
        """A span of a crowd has ended, with a turn that was long."""
        self.turn(3 * CROWD, after=2 * limits.CROWD_SPAN_SECONDS)


@pytest.fixture
def scene():
    scene = Scene()
    yield scene
    scene.rests.close()


@pytest.fixture
def long(monkeypatch):
    monkeypatch.setattr(limits, "CROWD_REST_SECONDS", LONG)


def test_few_players_never_have_the_loop_rest(scene):
    assert not any(scene.turn(CROWD // 4 - 1, after=limits.CROWD_SPAN_SECONDS / 4) for _ in range(40))


def test_a_crowd_has_it_look_at_its_sockets_some_milliseconds_apart(scene):
    scene.crowd()
    began = time.perf_counter()
    assert all(scene.turn() for _ in range(10))
    assert time.perf_counter() - began >= 9 * limits.CROWD_REST_SECONDS


def test_a_loop_that_is_busy_for_so_long_takes_no_rest(scene):
    scene.crowd()
    assert not any(scene.turn(CROWD, after=limits.CROWD_REST_SECONDS) for _ in range(30))


def test_a_crowd_is_over_when_few_come(scene):
    scene.crowd()
    assert not scene.turn(CROWD, after=2 * limits.CROWD_SPAN_SECONDS)
    assert not any(scene.turn() for _ in range(5))


def test_it_does_not_rest_while_a_connection_waits(scene, long):
    with socket.create_server(("127.0.0.1", 0)) as door:
        scene.rests.add_door(door)
        scene.crowd()
        with socket.create_connection(door.getsockname()):
            assert not scene.turn()
        scene.rests.remove_door(door)


def test_it_does_not_rest_while_somebody_waits_for_a_turn(scene, long):
    scene.crowd()
    scene.turns.waits = True
    assert not scene.turn()


def test_it_does_not_rest_while_somebody_waits_for_what_takes_several_turns(scene, long):
    scene.crowd()
    scene.rests.held = lambda: True
    assert not scene.turn()


def test_a_door_may_be_added_and_removed_at_any_time(scene):
    with socket.create_server(("127.0.0.1", 0)) as door:
        for change in (scene.rests.remove_door, scene.rests.add_door):
            change(door)
            change(door)
        scene.rests.close()
        scene.rests.add_door(door)
        scene.rests.remove_door(door)


def test_it_reads_who_was_accepted_before_it_rests(scene):
    scene.crowd()
    scene.rests.fresh = True
    assert not scene.turn()
    # Whatever that one asked for, the turn of its request ends with a rest.
    assert scene.turn(0)


def test_media_ends_a_rest(scene, long):
    reads, writes = os.pipe()
    scene.rests.add_media(reads)
    scene.crowd()
    timer = threading.Timer(0.02, os.write, (writes, b"x"))
    began = time.perf_counter()
    timer.start()
    assert scene.turn()
    assert time.perf_counter() - began < LONG / 2
    timer.join()
    os.close(reads)
    os.close(writes)


def test_it_rests_no_more_once_closed(scene, long):
    scene.crowd()
    scene.rests.close()
    assert not scene.turn()


@looped
async def test_a_server_rests_while_a_crowd_comes_and_goes_and_all_of_it_is_played():
    async with running() as caller:
        gop(caller, caller.publish())
        rests, joined = caller.server.opening.rests, 0
        while not rests.taken:
            # Whoever joins is answered: `play` reads to the end of the head.
            crowd = await asyncio.gather(*(caller.play() for _ in range(50)))
            for _, writer in crowd:
                writer.close()
            joined += len(crowd)
            assert joined <= 5000, "a crowd without a rest"
        await until(lambda: not caller.server.players.count)
        assert caller.server.clients.total == joined + 1, "the publisher is one too"
