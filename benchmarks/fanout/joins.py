"""Scenarios of players that come: timed from connect to the first keyframe, beside players that stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.processes import Talker
from benchmarks.fanout.servers import Server
from benchmarks.fanout.session import Bench, Live, Measured, loaded, started, steady

if TYPE_CHECKING:
    from benchmarks.fanout.scenarios import Scenario

STORM_RATE = 2000  # joins a second
TLS_RATE = 200  # likewise, each with a full handshake
STORM_HOLD_MS = 500
SPARE_SECONDS = 6  # of joins that a server must have room for: they leave late when it is late


def rate_for(players: int, rate: int) -> int:
    """Return the joins a second, fewer in a trial run with few players."""
    return rate if players >= 100 else rate // 10


def storm(bench: Bench, live: Live, load: Talker, m: Measured, rate: int, seconds: float) -> None:
    """Measure the standing players into `m` while others come and go; add what those saw."""
    bench.progress.say(f"storm of {rate} joins a second")
    load.send(f"storm {rate} {seconds} {STORM_HOLD_MS}")
    steady(bench, live, load, m, seconds)
    seen = load.event("storm", 30)
    if seen is None:
        raise BenchError("the join storm did not end")
    m.extra |= {
        "joins": seen["joins"],
        "joins_failed": seen["failed"],
        "first_keyframe_p50": seen["first_keyframe_ms"]["p50"],
        "first_keyframe_p99": seen["first_keyframe_ms"]["p99"],
        "first_keyframe_max": seen["first_keyframe_ms"]["max"],
        "first_byte_p99": seen["first_byte_ms"]["p99"],
        "client_late_max": seen["late_ms_max"],
    }
    if seen["failed"]:
        m.notes.append(
            f"{seen['failed']} of {seen['joins']} joins failed: {seen['first_error'] or 'no data'}"
        )
    p50, p99 = m.extra["first_keyframe_p50"], m.extra["first_keyframe_p99"]
    bench.progress.say(f"CPU {m.cpu:.1f} %, first keyframe p50 {p50:.1f} p99 {p99:.1f} ms")


def join_storm(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """Measure the standing players in calm, then again while others come and go: that is what counts."""
    window = scenario.window_of(server.name)
    players = scenario.players
    seconds = bench.seconds / 2
    rate = rate_for(players, STORM_RATE)
    calm, m = (Measured(scenario.name, scenario.label(server.name), players, window) for _ in range(2))
    room = players + rate * SPARE_SECONDS
    with (
        started(bench, server, window_ms=window, players=room, protocol=scenario.protocol) as live,
        loaded(bench, live, players, m.notes) as load,
    ):
        steady(bench, live, load, calm, seconds)
        storm(bench, live, load, m, rate, seconds)
    m.extra |= {"calm_p99": calm.p99, "calm_cpu": calm.cpu}
    yield m


def secure(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """Measure the standing players in calm: that is what counts; then time joins, a handshake each."""
    window = scenario.window_of(server.name)
    players = scenario.players
    rate = rate_for(players, TLS_RATE)
    m, busy = (Measured(scenario.name, scenario.label(server.name), players, window) for _ in range(2))
    room = players + rate * SPARE_SECONDS
    with (
        started(bench, server, window_ms=window, players=room, protocol=scenario.protocol) as live,
        loaded(bench, live, players, m.notes) as load,
    ):
        steady(bench, live, load, m)
        bench.progress.say(f"CPU {m.cpu:.1f} %, delay p50 {m.p50:.1f} p99 {m.p99:.1f} ms")
        storm(bench, live, load, busy, rate, bench.seconds)
    m.extra |= busy.extra
    m.extra |= {"storm_cpu": busy.cpu, "storm_missing": busy.missing, "storm_client_cpu": busy.client_cpu}
    m.notes += [f"while they joined: {note}" for note in busy.notes if note not in m.notes]
    yield m
