"""The text of a scrape: the figures as metric families of prometheus-client. Runs on any thread.

Names that SRS has are kept for its dashboards; what only fastflv has is called `fastflv_...`.

Spec: Prometheus text exposition format 0.0.4.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from fastflv import __version__, limits
from fastflv.servers.metrics.figures import EdgeFigures, Figures
from fastflv.servers.metrics.streamrows import StreamRow
from fastflv.stream.endreason import FAULTS, TOO_LATE
from fastflv.stream.histogram import Counts

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
STREAM: Final = ("vhost", "stream")

HISTOGRAMS: Final = {
    "ingest": (
        "fastflv_ingest_delay_seconds",
        "From the read that completed a keyframe to its place in the log; with live_clock.",
    ),
    "origin": (
        "fastflv_origin_delay_seconds",
        "From the server that took a stream in first to the log of this one; with live_clock.",
    ),
    "first_byte": (
        "fastflv_join_first_byte_seconds",
        "From a player's request to its first byte, waits for hooks and for a publisher included.",
    ),
    "first_key": (
        "fastflv_join_first_keyframe_seconds",
        "From a player's request to its first keyframe, where there is video.",
    ),
    "hook": (
        "fastflv_hook_seconds",
        "From the call of a hook to its answer or its time-out.",
    ),
    "lag": (
        "fastflv_player_lag_seconds",
        "Age of the oldest media that a player has not got, one for each player and scrape.",
    ),
}
"Name and meaning of each histogram by its name in `Delays`."

StreamCounter = tuple[str, str, Callable[[StreamRow], float]]

STREAM_GAUGES: Final[tuple[StreamCounter, ...]] = (
    ("frame_rate", "Pictures a second that arrive, over the newest GOP.", lambda row: row.frame_rate),
    ("keyframe_interval_seconds", "Time between the two newest keyframes.", lambda row: row.key_interval_ms / 1000),
    ("gop_bytes", "Bytes between the two newest keyframes, sound included.", lambda row: row.gop_bytes),
    (
        "ingest_jitter_seconds",
        "Mean deviation of the arrival of frames from their timestamps (RFC 3550).",
        lambda row: row.jitter_ms / 1000,
    ),
    ("av_skew_seconds", "How far sound arrives ahead of the pictures of its time.", lambda row: row.skew_ms / 1000),
)  # fmt: skip
"What the streams with rows of their own have: name, meaning, value."

STREAM_COUNTERS: Final[tuple[StreamCounter, ...]] = (
    ("receive_bytes", "Bytes of media received from publishers.", lambda row: row.received),
    ("send_bytes", "Bytes sent to players.", lambda row: row.sent),
)
"What the row of all others has too."


@dataclass(frozen=True, slots=True)
class Node:
    """What the exporter says of this process besides counts."""

    server: str
    service: str
    label: str = ""
    tag: str = ""


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def write_text(figures: Figures, node: Node) -> bytes:
    """Return the answer to a scrape."""
    return generate_latest(_Families(families(figures, node)))


def families(figures: Figures, node: Node) -> Iterator[Metric]:
    """Every metric, in the order of the text."""
    yield from _about(node)
    yield from _of_server(figures)
    if figures.edge is not None:
        yield from _of_edge(figures.edge)
    for key, (name, about) in HISTOGRAMS.items():
        yield _histogram(name, about, figures.histograms[key])
    yield from _of_streams(figures.rows)


def _about(node: Node) -> Iterator[Metric]:
    uname = os.uname()
    labels = ("sysname", "nodename", "release", "version", "machine")
    yield _labelled("srs_node_uname_info", "The machine.", labels, uname)
    fields = {
        "server": node.server,
        "service": node.service,
        "pid": str(os.getpid()),
        "major": __version__.partition(".")[0],
        "version": __version__,
        "code": "fastflv",
        "label": node.label,
        "tag": node.tag,
    }
    known = {name: value for name, value in fields.items() if value}
    yield _labelled("srs_build_info", "The version of the server.", known, known.values())
    yield _labelled("fastflv_build_info", "The version.", ("version",), (__version__,))


def _of_edge(edge: EdgeFigures) -> Iterator[Metric]:
    pulls = GaugeMetricFamily("fastflv_pulls", "Streams fetched from origins, by state.", labels=("state",))
    for state, count in edge.pulls.items():
        pulls.add_metric((state,), count)
    yield pulls
    yield _counter("fastflv_pulls", "Streams fetched from origins since the start.", edge.pulls_total)
    yield _counter(
        "fastflv_pull_switches", "Times that a stream went on from another connection.", edge.switches
    )
    yield _gauge("fastflv_relays", "Publishes that are passed on to origins.", edge.relays)
    yield _gauge("fastflv_origins_down", "Origins that have failed and show no life.", edge.origins_down)


def _of_server(figures: Figures) -> Iterator[Metric]:
    lost = sum(figures.ended[reason] for reason in FAULTS)
    yield _gauge("srs_cpu_percent", "CPU of the process, percent of one core.", figures.cpu * 100)
    yield _gauge("srs_memory", "Resident memory, bytes.", figures.memory)
    yield _gauge("fastflv_media_bytes", "Memory that holds media of streams, bytes.", figures.pages[0])
    yield _gauge("fastflv_media_mapped_bytes", "Memory mapped for it, bytes.", figures.pages[1])
    yield _counter("srs_send_bytes", "Bytes sent to clients.", figures.sent)
    yield _counter("srs_receive_bytes", "Bytes received from clients.", figures.received)
    yield _gauge("srs_streams", "Streams, those in grace included.", figures.streams)
    yield _gauge("srs_clients", "Clients, publishers included.", figures.clients)
    yield _counter("srs_clients", "Clients since the start.", figures.clients_total)
    yield _counter("srs_clients_errs", "Clients that an error ended.", lost)
    yield _gauge("fastflv_streams_in_grace", "Streams whose publisher is away.", figures.in_grace)
    yield _gauge("fastflv_requests_waiting", "Requests that wait for a stream.", figures.waiting)
    yield _gauge("fastflv_connections", "Connections of all kinds.", figures.connections)
    yield _gauge("fastflv_connections_max", "max_connections.", figures.connections_max)
    yield _counter("fastflv_connections", "Connections since the start.", figures.connections_total)
    yield _counter(
        "fastflv_connections_refused",
        "Connections closed at once because max_connections was reached.",
        figures.connections_refused,
    )
    yield _gauge("fastflv_publishers", "Publishers.", figures.publishers)
    players = GaugeMetricFamily("fastflv_players", "Players by what they are sent.", labels=("output",))
    for output, count in sorted(figures.players.items()):
        players.add_metric((output,), count)
    yield players
    yield _gauge("fastflv_players_lagging", "Players that lag, at the last look.", figures.lagging)
    steps = figures.steps
    yield _counter("fastflv_thinned", "Times that a player began to lose disposable pictures.", steps.drops)
    yield _counter("fastflv_pictures_dropped", "Pictures left out for players.", steps.dropped)
    yield _counter("fastflv_jumps", "Times that a player was moved on to a keyframe.", steps.jumps)
    evicted = CounterMetricFamily(
        "fastflv_players_evicted",
        "Players disconnected because they did not keep up, by reason.",
        labels=("reason",),
    )
    ended = CounterMetricFamily(
        "fastflv_clients_ended", "Clients that have left, by reason.", labels=("reason",)
    )
    for reason in TOO_LATE:
        evicted.add_metric((reason.value,), figures.ended[reason])
    for reason, count in figures.ended.items():
        ended.add_metric((reason.value,), count)
    yield evicted
    yield ended
    switches = CounterMetricFamily(
        "fastflv_publisher_switches",
        "Times that another publisher of a live stream took over, by reason.",
        labels=("reason",),
    )
    for why, count in figures.switches.items():
        switches.add_metric((why.value,), count)
    yield switches
    limited = CounterMetricFamily(
        "fastflv_limited",
        "Clients refused by limits, and publishers closed by ingest_rate.",
        labels=("limit",),
    )
    for name, count in sorted(figures.limited.items()):
        limited.add_metric((name,), count)
    yield limited
    forwards = GaugeMetricFamily(
        "fastflv_forwards", "Streams that are published to other servers, by state.", labels=("state",)
    )
    for state, count in figures.forwards.states.items():
        forwards.add_metric((state,), count)
    yield forwards
    yield _counter("fastflv_forward_send_bytes", "Bytes sent to other servers.", figures.forwards.sent)
    yield _counter(
        "fastflv_forward_failures",
        "Connections to other servers that were not made, were refused or were lost.",
        figures.forwards.failures,
    )
    directories = GaugeMetricFamily(
        "fastflv_directory_up", "1 while the Redis of a directory can be used.", labels=("directory",)
    )
    for url, up in figures.directories.items():
        directories.add_metric((url,), up)
    yield directories
    windows = GaugeMetricFamily(
        "fastflv_merge_window_seconds", "Merge window that the load asks for, by thread.", labels=("thread",)
    )
    for thread, window in figures.windows_ms.items():
        windows.add_metric((thread,), window / 1000)
    yield windows


def _of_streams(rows: list[StreamRow]) -> Iterator[Metric]:
    """The rows by stream, the last of which is that of all others: it has sums alone."""
    publishers = GaugeMetricFamily("fastflv_stream_publishers", "Publishers of a stream.", labels=STREAM)
    players = GaugeMetricFamily(
        "fastflv_stream_players", "Players of a stream by what they are sent.", labels=(*STREAM, "output")
    )
    drops = CounterMetricFamily(
        "fastflv_stream_drops",
        "What was done about players that lagged: pictures left out, jumps to a keyframe, players closed.",
        labels=(*STREAM, "step"),
    )
    for row in rows:
        publishers.add_metric((row.vhost, row.stream), row.publishers)
        for output, count in row.players.items():
            players.add_metric((row.vhost, row.stream, output), count)
        for step, count in (("picture", row.dropped), ("jump", row.jumps), ("close", row.evicted)):
            drops.add_metric((row.vhost, row.stream, step), count)
    yield publishers
    yield players
    for name, about, value in STREAM_COUNTERS:
        counter = CounterMetricFamily(f"fastflv_stream_{name}", about, labels=STREAM)
        for row in rows:
            counter.add_metric((row.vhost, row.stream), value(row))
        yield counter
    for name, about, value in STREAM_GAUGES:
        gauge = GaugeMetricFamily(f"fastflv_stream_{name}", about, labels=STREAM)
        for row in rows[:-1]:
            gauge.add_metric((row.vhost, row.stream), value(row))
        yield gauge
    yield drops


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=value)


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(name, about, value=value)


def _labelled(name: str, about: str, labels: Iterable[str], values: Iterable[str]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=tuple(labels))
    family.add_metric(tuple(values), 1)
    return family


def _histogram(name: str, about: str, of: Counts) -> Metric:
    below, buckets = 0, []
    for bound, count in zip(limits.DELAY_BOUNDS_MS, of.counts, strict=False):
        below += count
        buckets.append((f"{bound / 1000:g}", float(below)))
    buckets.append(("+Inf", float(below + of.counts[-1])))
    return HistogramMetricFamily(name, about, buckets=buckets, sum_value=of.sum_ms / 1000)
