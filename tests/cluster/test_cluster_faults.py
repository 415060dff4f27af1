"""Viewers of every output go on when a part of the cluster fails: what each of them has seen is counted, and reported."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest
from faults import FAULTS, Fault
from film import Film
from link import obstacle
from report import Row, row_of
from server import until
from topology import EDGES, OTHER, SHARED, Topology
from viewers import KINDS, Viewer
from watchers import Watchers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SETTLE_SECONDS = 4.0
"Before the fault begins."
FAULT_SECONDS = 8.0
LATE = 2 * EDGES * len(KINDS)
"Viewers who join while the fault lasts."
AFTER_SECONDS = 5.0
"What comes back must not hurt either."


def join(crowd: Watchers[Viewer], site: Topology, film: Film, size: int) -> None:
    """Have *size* viewers join, the same number of each output, stream and edge."""
    places = itertools.cycle(itertools.product((SHARED, OTHER), range(EDGES), KINDS))
    for stream, number, output in itertools.islice(places, size):
        edge = site.edges[number]
        crowd.add(KINDS[output](film, output, number + 1, stream, edge.rtmp, edge.http))


def wait_for_pictures(crowd: Watchers[Viewer]) -> None:
    until(
        lambda: all(len(viewer.seen.pictures) > 20 or viewer.over for viewer in crowd.viewers),
        "pictures for all viewers",
        30,
    )
    assert not [viewer for viewer in crowd.viewers if viewer.over]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_viewers_go_on_within_a_second_and_a_gop(
    fault: Fault, film: Film, crowd_size: int, rows: list[Row], tmp_path: Path
) -> None:
    why = obstacle()
    if fault.needs_link and why:
        pytest.skip(why)
    with Topology(tmp_path, film, linked=not why) as site, Watchers[Viewer]() as crowd:
        join(crowd, site, film, crowd_size)
        wait_for_pictures(crowd)
        assert {site.source(edge, SHARED) for edge in site.edges} == {site.origins[0].place}
        time.sleep(SETTLE_SECONDS)
        began = time.monotonic()
        fault.begin(site)
        time.sleep(FAULT_SECONDS / 2)
        join(crowd, site, film, LATE)
        time.sleep(FAULT_SECONDS / 2)
        fault.end(site)
        time.sleep(AFTER_SECONDS)
        ended = time.monotonic()
        crowd.stop()
        moved = sum(site.source(edge, SHARED) == site.origins[1].place for edge in site.edges)
    row = row_of(fault.name, crowd.viewers, film, began, ended, shared=SHARED, moved=moved)
    rows.append(row)
    assert not row.faults
    assert moved == fault.moves
