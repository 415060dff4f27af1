"""`/metrics`: what there is to count, for Prometheus. A fixed number of series, whatever is published.

Names that SRS has are kept for its dashboards; what only fastflv has is called `fastflv_...`.

Spec: Prometheus text exposition format 0.0.4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from fastflv import __version__, limits
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.servers.api import machine
from fastflv.stream.clients import Clients
from fastflv.stream.histogram import Histogram
from fastflv.stream.hub import Hub
from fastflv.stream.lag import NO_STEPS
from fastflv.stream.stream import Phase

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PUBLISHERS = "publisher"


def write_metrics(
    hub: Hub,
    clients: Clients,
    connection_limit: ConnectionLimit,
    cpu: machine.CpuMeter,
    windows_ms: Mapping[str, int],
) -> bytes:
    """Return the answer to one scrape. It looks at each client once. *windows_ms*: merge windows by thread."""
    lines: list[str] = []
    kinds: Counter[str] = Counter()
    lagging, total = 0, clients.steps_before
    received, sent = clients.received_before, clients.sent_before.total()
    for client in clients:
        kinds[PUBLISHERS if client.publish else client.request.output.removesuffix("-play")] += 1
        received += client.received
        sent += client.sent
        steps = client.steps
        lagging += steps.lag_ms > 0
        if steps != NO_STEPS:
            total = total.then(steps)
    phases = Counter(stream.phase for stream in hub)
    for name, kind, about, value in (
        ("srs_cpu_percent", "gauge", "CPU of the process, percent of one core.", cpu.shares()[0] * 100),
        ("srs_memory", "gauge", "Resident memory, bytes.", machine.resident_kbyte() * 1024),
        ("srs_send_bytes_total", "counter", "Bytes sent to clients.", sent),
        ("srs_receive_bytes_total", "counter", "Bytes received from clients.", received),
        ("srs_streams", "gauge", "Streams, those in grace included.", len(hub)),
        ("srs_clients", "gauge", "Clients, publishers included.", len(clients)),
        ("srs_clients_total", "counter", "Clients since the start.", clients.total),
        ("fastflv_streams_in_grace", "gauge", "Streams whose publisher is away.", phases[Phase.GRACE]),
        ("fastflv_requests_waiting", "gauge", "Requests that wait for a stream.", hub.waiting),
        ("fastflv_connections", "gauge", "Connections of all kinds.", connection_limit.taken),
        ("fastflv_connections_max", "gauge", "max_connections.", connection_limit.limit),
        ("fastflv_connections_total", "counter", "Connections since the start.", connection_limit.total),
        (
            "fastflv_connections_refused_total",
            "counter",
            "Connections closed at once because max_connections was reached.",
            connection_limit.refused,
        ),
        ("fastflv_players_lagging", "gauge", "Players that lag, at the last look.", lagging),
        (
            "fastflv_thinned_total",
            "counter",
            "Times that a player began to lose disposable pictures.",
            total.drops,
        ),
        ("fastflv_pictures_dropped_total", "counter", "Pictures left out for players.", total.dropped),
        ("fastflv_jumps_total", "counter", "Times that a player was moved on to a keyframe.", total.jumps),
    ):
        lines += _head(name, kind, about)
        lines.append(f"{name} {_number(value)}")
    lines += _head("fastflv_build_info", "gauge", "The version.")
    lines.append(f'fastflv_build_info{{version="{__version__}"}} 1')
    lines += _head("fastflv_publishers", "gauge", "Publishers.")
    lines.append(f"fastflv_publishers {kinds.pop(PUBLISHERS, 0)}")
    lines += _head("fastflv_players", "gauge", "Players by what they are sent.")
    lines += [f'fastflv_players{{kind="{kind}"}} {kinds[kind]}' for kind in sorted(kinds)]
    lines += _head(
        "fastflv_players_evicted_total",
        "counter",
        "Players disconnected because they did not keep up, by reason.",
    )
    lines += [
        f'fastflv_players_evicted_total{{reason="{reason}"}} {n}'
        for reason, n in sorted(clients.late.items(), key=lambda row: row[0].value)
    ]
    lines += _head("fastflv_merge_window_seconds", "gauge", "Merge window that the load asks for, by thread.")
    lines += [f'fastflv_merge_window_seconds{{thread="{t}"}} {ms / 1000:g}' for t, ms in windows_ms.items()]
    lines += _histogram(
        "fastflv_ingest_delay_seconds",
        "From the read that completed a keyframe to its place in the log; with live_clock.",
        hub.delays.ingest,
    )
    lines += _histogram(
        "fastflv_origin_delay_seconds",
        "From the server that took a stream in first to the log of this one; with live_clock.",
        hub.delays.origin,
    )
    return ("\n".join(lines) + "\n").encode()


def _head(name: str, kind: str, about: str) -> Iterable[str]:
    return f"# HELP {name} {about}", f"# TYPE {name} {kind}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _histogram(name: str, about: str, of: Histogram) -> list[str]:
    lines = list(_head(name, "histogram", about))
    below = 0
    for bound, count in zip(limits.DELAY_BOUNDS_MS, of.counts, strict=False):
        below += count
        lines.append(f'{name}_bucket{{le="{bound / 1000:g}"}} {below}')
    lines.append(f'{name}_bucket{{le="+Inf"}} {of.count}')
    lines.append(f"{name}_sum {_number(of.sum_ms / 1000)}")
    lines.append(f"{name}_count {of.count}")
    return lines
