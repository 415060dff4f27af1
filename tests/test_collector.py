"""The collector of cycles looks at few objects at a time, since each look holds up the event loop."""

from __future__ import annotations

import gc

from fastflv import limits


def test_no_look_takes_in_more_than_what_two_thousand_players_leave():
    before, callbacks = gc.get_threshold(), gc.callbacks[:]
    looks: list[int] = []

    def look(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] < 2:
            looks.append(sum(len(gc.get_objects(each)) for each in range(info["generation"] + 1)))

    gc.collect()
    gc.freeze()
    try:
        gc.set_threshold(limits.GC_OBJECTS, limits.GC_YOUNG_LOOKS)
        gc.callbacks.append(look)
        players = [[[] for _ in range(9)] for _ in range(10_000)]
    finally:
        gc.callbacks[:] = callbacks
        gc.set_threshold(*before)
        gc.unfreeze()
    assert len(players) == 10_000 and len(looks) >= 5
    assert max(looks) <= 2 * limits.GC_OBJECTS + 1000
