"""Python's collector of cycles, whose looks hold up the event loop: they are short, since live servers make few cycles."""

from __future__ import annotations

import gc
from functools import partial

from fastflv import limits
from fastflv.net.turns import Turns


def keep_looks_short(turns: Turns) -> None:
    """Leave out what is there now, and look at few objects at a time, those of crowds too."""
    # What is there now stays; each TLS player adds some 50 objects, and looking at all of them again and again was
    # a quarter of the time of 200 such players.
    gc.freeze()
    gc.set_threshold(limits.GC_OBJECTS, limits.GC_YOUNG_LOOKS, limits.GC_FULL_LOOKS)
    # It counts what is made less what is freed: where thousands of waiters become players it would see none of them,
    # then all in one look.
    turns.crowded = partial(gc.collect, 1)
