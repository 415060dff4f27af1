"""The text that Prometheus scrapes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.access import request
from model.apisite import NAME, Caller, gop, looped, running
from model.flv import AVC_HEADER, key
from model.ports import free_ports
from patience import SANITIZED
from prometheus_client.parser import text_string_to_metric_families

from fastflv import limits
from fastflv.config.endpoint import Endpoint
from fastflv.config.model.server import Exporter
from fastflv.servers.metrics.streamrows import StreamRow, StreamRows
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.histogram import Histogram
from fastflv.stream.lag import UNBEGUN, Beginning, Steps


@dataclass
class Spared:
    """The link of a player that lags."""

    steps: Steps
    beginning: Beginning = UNBEGUN
    sent: int = 0
    received: int = 0


def read(text: str) -> dict[str, float]:
    """Every series by name and labels, in the order of the labels' names; what Prometheus does not read is an error."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            key = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert key not in found, f"{key} twice"
            found[key] = sample.value
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
        found = await scrape_until(caller, lambda found: found["fastflv_players_lagging"] == 1)
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
        if not SANITIZED:
            assert (
                0 < found["fastflv_media_bytes"] < found["fastflv_media_mapped_bytes"] < found["srs_memory"]
            )
        assert found['fastflv_ingest_delay_seconds_bucket{le="0.0025"}'] == 0
        assert found['fastflv_ingest_delay_seconds_bucket{le="0.005"}'] == 1
        assert found["fastflv_ingest_delay_seconds_sum"] == 0.003
        caller.server.hub.unpublish(caller.server.hub.find(NAME), 0)
        await scrape_until(caller, lambda found: found["fastflv_streams_in_grace"] == 1)


async def scrape_until(caller: Caller, good: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    """Scrape until the answer is *good*: a text that took long is shown again for a while."""
    while not good(found := await scrape(caller)):
        await asyncio.sleep(0.02)
    return found


STREAM = 'stream="live/a",vhost="__defaultVhost__"'


@looped
async def test_a_stream_has_rows_of_its_own_once_it_has_media():
    async with running() as caller:
        feed = caller.publish()
        assert f"fastflv_stream_publishers{{{STREAM}}}" not in await scrape(caller)
        gop(caller, feed)
        reader, writer = await caller.play()
        await reader.read(100)
        sent = f"fastflv_stream_send_bytes_total{{{STREAM}}}"
        found = await scrape_until(caller, lambda found: found.get(sent, 0) > 100)
        assert found[f"fastflv_stream_publishers{{{STREAM}}}"] == 1
        assert found[f'fastflv_stream_players{{output="flv",{STREAM}}}'] == 1
        assert found['fastflv_players{output="flv"}'] == 1
        assert found[f"fastflv_stream_receive_bytes_total{{{STREAM}}}"] == feed.writer.bytes > 0
        assert found['fastflv_player_lag_seconds_bucket{le="+Inf"}'] >= 1
        writer.close()


@looped
async def test_streams_beyond_the_bound_share_a_row_whose_counters_do_not_fall():
    async with running(top="exporter { streams 2; }") as caller:
        for i in range(5):
            feed = caller.publish(NAME._replace(stream=f"s{i}"), f"pub{i}")
            feed.video(0, AVC_HEADER)
            feed.video(0, key(bytes(1000)))
        found = await scrape(caller)
        own = {key for key in found if key.startswith("fastflv_stream_publishers")}
        assert own == {
            f'fastflv_stream_publishers{{stream="{stream}",vhost="{vhost}"}}'
            for stream, vhost in (
                ("live/s0", "__defaultVhost__"),
                ("live/s1", "__defaultVhost__"),
                ("other", "other"),
            )
        }
        other = '{stream="other",vhost="other"}'
        assert found[f"fastflv_stream_publishers{other}"] == 3
        before = found[f"fastflv_stream_receive_bytes_total{other}"]
        assert before == 3 * feed.writer.bytes
        for i in (4, 0):
            stream = caller.server.hub.find(NAME._replace(stream=f"s{i}"))
            caller.server.clients.remove(caller.server.clients.find(f"pub{i}"), EndReason.PEER_CLOSED, 1.0)
            caller.server.hub.unpublish(stream, 0)
            caller.server.hub.cut_grace(stream)
        third = 'fastflv_stream_publishers{stream="live/s2",vhost="__defaultVhost__"}'
        found = await scrape_until(caller, lambda found: third in found)
        assert found[f"fastflv_stream_receive_bytes_total{other}"] == before


@looped
async def test_the_exporter_has_a_port_of_its_own_and_names_the_server():
    (port,) = free_ports(1)
    top = f'exporter {{ enabled on; listen 127.0.0.1:{port}; label "a\\b"; tag cn-edge; }}'
    async with running("auth { enabled on; username u; password p; }", top=top) as caller:
        found = await scrape(caller, port)
        info = next(key for key in found if key.startswith("srs_build_info"))
        assert 'tag="cn-edge"' in info and 'label="' in info
        assert any(key.startswith("srs_node_uname_info") for key in found)
        assert (await caller.raw("/", port=port))[0] == 404
        assert (await caller.raw("/api/v1/streams", port=port))[0] == 404
        assert (await caller.raw("/metrics", port=port, method="DELETE"))[0] == 405


@looped
async def test_scrapes_at_one_time_share_the_work():
    async with running() as caller:
        texts = await asyncio.gather(*(caller.raw("/metrics") for _ in range(20)))
        assert {status for status, _, _ in texts} == {200}


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


def test_a_server_that_nobody_scrapes_does_not_load_the_library():
    code = (
        "import sys, fastflv.tools.cli, fastflv.control.server; sys.exit('prometheus_client' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-P", "-c", code], timeout=60).returncode == 0


@looped
async def test_the_exporter_comes_and_goes_by_a_reload():
    (port,) = free_ports(1)
    async with running() as caller:
        before = caller.server.runtime.settings
        caller.server.reload(
            replace(before, exporter=Exporter(True, (Endpoint("127.0.0.1", port),), tag="x"))
        )
        assert any('tag="x"' in key for key in await scrape(caller, port))
        caller.server.reload(before)
        with pytest.raises(OSError):
            await scrape(caller, port)
        await scrape(caller)


def test_a_row_of_other_streams_is_made_in_steps():
    rows = StreamRows(lambda: 1)
    many = [StreamRow("v", f"live/{number}", str(number), received=10) for number in range(1000)]
    steps = rows.finish(many)
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            shown = end.value
            break
        count += 1
    assert count == len(many) // limits.METRICS_STEP
    assert [row.stream for row in shown] == ["live/0", "other"]
    assert shown[-1].received == 10 * 999


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 100)), max_size=60), st.integers(0, 5))
def test_counters_of_other_streams_never_fall(changes, room):
    """Streams grow, end (0) and come again under another id."""
    rows = StreamRows(lambda: room)
    streams: dict[int, StreamRow] = {}
    seen = 0
    for number, grown in changes:
        if grown == 0:
            streams.pop(number, None)
        else:
            found = streams.setdefault(number, StreamRow("v", str(number), f"{number}.{len(streams)}"))
            found.received += grown
        steps = rows.finish([replace(row) for row in streams.values()])
        try:
            while True:
                next(steps)
        except StopIteration as end:
            *own, other = end.value
        assert len(own) == min(room, len(streams))
        assert other.received >= seen
        seen = other.received
