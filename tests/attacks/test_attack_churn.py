"""A day of peers that come and go leaves the server as it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from attack import FIGURES
from broadcast import Broadcast
from memory import MemoryWatch
from peers import ACTS, Peers, Site, every_output, watching
from server import until

THREADS = 8


class Churn(threading.Thread):
    """One peer after another, of every kind, until *end*."""

    def __init__(self, site: Site, first: int, end: float) -> None:
        super().__init__(daemon=True)
        self.acts = 0
        self.failure: Exception | None = None
        self._site, self._first, self._end = site, first, end
        self.start()

    def run(self) -> None:
        peers = Peers(self._site)
        try:
            while time.monotonic() < self._end:
                ACTS[(self._first + self.acts) % len(ACTS)](peers)
                self.acts += 1
        except Exception as error:
            self.failure = error


@pytest.mark.parametrize(
    "seconds", [8, pytest.param(600, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_a_day_of_churn_leaves_no_memory_behind(
    tmp_path: Path, record_property: Callable[[str, object], None], seconds: int
) -> None:
    with every_output(tmp_path) as site:
        server = site.server
        watch = MemoryWatch(server)
        with Broadcast(server.rtmp, "x"):
            end = time.monotonic() + seconds
            churns = [Churn(site, first, end) for first in range(THREADS)]
            for churn in churns:
                churn.join()
            assert [churn.failure for churn in churns if churn.failure is not None] == []
            until(lambda: not watching(server), "all players have left", 30)
        until(lambda: not server.streams(), "all streams have ended", 20)
        memory = watch.settled(watch.so_far())
        figures = f"{sum(churn.acts for churn in churns)} visits; {memory}"
        record_property(FIGURES, figures)
        assert memory.is_back, figures
