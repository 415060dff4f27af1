"""The collector of cycles looks at few objects at a time, since each look holds up the event loop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator

import pytest

from fastflv import limits
from fastflv.control.collector import keep_looks_short
from fastflv.net import turns as module
from fastflv.net.turns import Turns

LOOK_OBJECTS = 2 * limits.GC_OBJECTS + 1000
PLAYERS = 20_000


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many objects each look takes in."""
    threshold, callbacks = gc.get_threshold(), gc.callbacks[:]
    found: list[int] = []

    def look(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            found.append(sum(len(gc.get_objects(each)) for each in range(info["generation"] + 1)))

    # No turn ends by its time: with it, there would be fewer peers in each.
    monkeypatch.setattr(module, "perf_counter", lambda: 0.0)
    gc.collect()
    gc.callbacks.append(look)
    yield found
    gc.callbacks[:] = callbacks
    gc.set_threshold(*threshold)
    gc.unfreeze()


def player() -> list[list[object]]:
    """As many objects as a player has."""
    return [[] for _ in range(25)]


def in_turns(work: Callable[[int], None]) -> None:
    """Do *work* for each player, in turns of a server's loop."""

    async def run() -> None:
        turns = Turns(asyncio.get_running_loop())
        keep_looks_short(turns)
        left = list(range(PLAYERS))
        for _ in range(PLAYERS):
            turns.queue(lambda: work(left.pop()))
        while left:
            await asyncio.sleep(0)

    asyncio.run(run())


def test_no_look_takes_in_more_than_what_two_thousand_players_leave(looks: list[int]):
    players: list[list[list[object]]] = []

    def come(_: int) -> None:
        players.append(player())

    in_turns(come)
    assert len(players) == PLAYERS and len(looks) >= 5
    assert max(looks) <= LOOK_OBJECTS


def test_nor_where_as_many_objects_are_freed_as_are_made(looks: list[int]):
    players = [player() for _ in range(PLAYERS)]
    # They are old when the server begins.
    del looks[:]

    def change(number: int) -> None:
        players[number] = player()

    in_turns(change)
    assert looks, "they are looked at meanwhile"
    gc.collect(1)
    assert max(looks) <= LOOK_OBJECTS
