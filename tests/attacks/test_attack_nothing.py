"""The measure itself: without an attack, players of a healthy stream wait for nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable

from attack import Attack
from server import MIB


def test_without_an_attack_nobody_waits(under_attack: Callable[..., Attack]) -> None:
    attack = under_attack()
    with attack.measured():
        threading.Event().wait(2)
    attack.check_delay()
    attack.check_memory(peak=10 * MIB)
    assert attack.delay.pictures > 500
