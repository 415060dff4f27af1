"""The text that Prometheus scrapes."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st
from model.access import request
from test_api import NAME, Caller, gop, looped, running

from fastflv import limits
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.histogram import Histogram
from fastflv.stream.lag import Steps


@dataclass
class Spared:
    """The link of a player that lags."""

    steps: Steps
    sent: int = 0
    received: int = 0


SERIES = re.compile(r'([a-z_]+)(\{[a-z]+="[^"]*"\})? (-?[0-9.e+-]+)')


def read(text: str) -> dict[str, float]:
    """Every series by name and labels; what is not of the format is an AssertionError."""
    found: dict[str, float] = {}
    typed: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in typed, f"{name} twice"
            typed[name] = kind
        elif not line.startswith("# HELP "):
            match = SERIES.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            assert name in typed or typed.get(base) == "histogram", f"{name} has no type"
            assert name + (labels or "") not in found
            found[name + (labels or "")] = float(value)
    assert text.endswith("\n")
    return found


async def scrape(caller: Caller, port: int = 0) -> dict[str, float]:
    status, fields, body = await caller.raw("/metrics", port=port)
    assert (status, fields["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return read(body.decode())


@looped
async def test_metrics_count_the_lag_steps_of_players():
    async with running() as caller:
        feed = caller.publish()
        gop(caller, feed)
        found = await scrape(caller)
        assert found['fastflv_merge_window_seconds{thread="0"}'] == 0
        assert found['fastflv_merge_window_seconds{thread="loop"}'] == 0
        clients = caller.server.clients
        stream = caller.server.hub.find(NAME)
        for steps, why in (
            (Steps(700, 1, 20, 3), EndReason.TOO_SLOW),
            (Steps(0, 0, 0, 2), EndReason.PEER_CLOSED),
            (Steps(900, 1, 5, 0), None),
        ):
            client = Client(replace(request(), client_id=str(why)), stream, Spared(steps), 0.0)
            clients.add(client)
            if why is not None:
                clients.remove(client, why, 1.0)
        found = await scrape(caller)
        assert found["fastflv_players_lagging"] == 1
        assert found["fastflv_thinned_total"] == 2
        assert found["fastflv_pictures_dropped_total"] == 25
        assert found["fastflv_jumps_total"] == 5
        assert found['fastflv_players_evicted_total{reason="too slow"}'] == 1
        assert found['fastflv_players_evicted_total{reason="stalled"}'] == 0


@looped
async def test_metrics_count_streams_clients_and_bytes():
    async with running() as caller:
        feed = caller.publish()
        gop(caller, feed)
        caller.server.hub.delays.ingest.observe(3)
        found = await scrape(caller)
        assert (found["srs_streams"], found["srs_clients"], found["fastflv_publishers"]) == (1, 1, 1)
        assert found["srs_memory"] > 1e6
        assert found['fastflv_ingest_delay_seconds_bucket{le="0.0025"}'] == 0
        assert found['fastflv_ingest_delay_seconds_bucket{le="0.005"}'] == 1
        assert found["fastflv_ingest_delay_seconds_sum"] == 0.003
        caller.server.hub.unpublish(caller.server.hub.find(NAME), 0)
        assert (await scrape(caller))["fastflv_streams_in_grace"] == 1


@looped
async def test_more_streams_make_no_more_series():
    async with running() as caller:
        before = set(await scrape(caller))
        for i in range(20):
            caller.publish(NAME._replace(stream=str(i)), str(i))
        assert set(await scrape(caller)) == before


@looped
async def test_metrics_are_refused_without_the_password_and_to_other_methods():
    async with running("auth { enabled on; username u; password p; }") as caller:
        assert (await caller.raw("/metrics"))[0] == 401
    async with running() as caller:
        assert (await caller.raw("/metrics", method="POST"))[0] == 405
        assert (await caller.raw("/metrics", port=caller.http))[0] == 404, "not on the port of players"


@given(st.lists(st.floats(0, 1e6), max_size=50))
def test_a_histogram_counts_each_duration_once(values):
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    bounds = limits.DELAY_BOUNDS_MS
    wanted = [0] * (len(bounds) + 1)
    for value in values:
        wanted[bisect_left(bounds, value)] += 1
    assert histogram.counts == wanted
    assert histogram.count == len(values)
    for i, bound in enumerate(bounds):
        assert sum(histogram.counts[: i + 1]) == sum(value <= bound for value in values)
