"""What Prometheus finds at the exporter, with a real encoder and real players."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from urllib.request import urlopen

import pytest
from audience import Audience
from clip import Clip, end, push
from hookserver import HookServer
from model.ports import free_ports
from player import Player
from prometheus_client.parser import text_string_to_metric_families
from server import HOST, Server, until, vhost_text
from tlsfiles import Pair, serve_tls, trusting

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
MOUNTS = "mount [vhost]/[app]/[stream].flv [vhost]/[app]/[stream].ts;"


class Exporter:
    """The exporter of a running server."""

    def __init__(self, server: Server, port: int) -> None:
        self.server, self.port = server, port

    def scrape(self) -> Series:
        with urlopen(f"http://{HOST}:{self.port}/metrics", timeout=10) as answer:
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            text = answer.read().decode()
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """The value of one series; 0 where there is none."""
        return self.scrape().get((name, frozenset(labels.items())), 0)

    def of(self, stream: str, name: str, **labels: str) -> float:
        """The value of one series of a stream."""
        return self.value(
            f"fastflv_stream_{name}", vhost="__defaultVhost__", stream=f"live/{stream}", **labels
        )


@pytest.fixture(scope="module")
def exporter(serve: Callable[..., Server]) -> Exporter:
    (port,) = free_ports(1)
    server = serve(
        vhost_text(remux=MOUNTS),
        more=f"exporter {{ enabled on; listen {HOST}:{port}; label test; streams 2; }}",
    )
    return Exporter(server, port)


@pytest.fixture(scope="module")
def looped(exporter: Exporter, h264: Clip) -> Iterator[str]:
    process = push(h264.path, exporter.server.publish_url("looped"), loop=True)
    until(lambda: "looped" in exporter.server.streams(), "publish", 15)
    yield "looped"
    end(process)


def test_a_stream_has_its_figures(exporter: Exporter, looped: str) -> None:
    until(lambda: exporter.of(looped, "keyframe_interval_seconds") > 0, "two keyframes", 20)
    assert exporter.of(looped, "publishers") == 1
    assert exporter.of(looped, "keyframe_interval_seconds") == pytest.approx(1.0, abs=0.1)
    assert exporter.of(looped, "gop_bytes") > 1000
    until(lambda: 15 < exporter.of(looped, "frame_rate") < 26, "about 20 pictures a second", 20)
    assert exporter.of(looped, "ingest_jitter_seconds") < 0.5
    assert abs(exporter.of(looped, "av_skew_seconds")) < 0.5
    received = exporter.of(looped, "receive_bytes_total")
    until(lambda: exporter.of(looped, "receive_bytes_total") > received, "more media", 10)


def test_players_are_counted_by_what_they_are_sent(exporter: Exporter, looped: str) -> None:
    audience = Audience(exporter.server, looped, ("flv", "ts", "rtmp")).ready()
    for output in ("flv", "ts", "rtmp"):
        until(
            lambda output=output: exporter.of(looped, "players", output=output) == 1,
            f"a player of {output}",
            10,
        )
        assert exporter.value("fastflv_players", output=output) == 1
    until(lambda: exporter.of(looped, "send_bytes_total") > 1000, "bytes", 10)
    seen = exporter.value("fastflv_player_lag_seconds_count")
    until(lambda: exporter.value("fastflv_player_lag_seconds_count") > seen, "another look", 10)
    for seat in audience.seats.values():
        seat.player.close()
    until(lambda: not exporter.of(looped, "players", output="flv"), "no player", 10)
    until(lambda: exporter.value("fastflv_clients_ended_total", reason="peer closed") >= 3, "their ends", 10)


def test_streams_beyond_the_bound_are_one(exporter: Exporter, looped: str, h264: Clip) -> None:
    exporter.scrape()
    more = [push(h264.path, exporter.server.publish_url(name), loop=True) for name in ("b", "c", "d")]
    other = {"vhost": "other", "stream": "other"}
    until(lambda: exporter.value("fastflv_stream_publishers", **other) == 2, "two streams too many", 20)
    until(lambda: exporter.value("srs_streams") == 4, "four streams", 10)
    assert exporter.of(looped, "publishers") == 1, "who has a row keeps it"
    name = "fastflv_stream_receive_bytes_total"
    until(lambda: exporter.value(name, **other) > 1000, "what they send", 20)
    seen = exporter.value(name, **other)
    for process in more:
        end(process)
    until(lambda: exporter.value("srs_streams") == 1, "the end of three streams", 20)
    assert exporter.value(name, **other) >= seen


def beginnings(exporter: Exporter) -> tuple[float, float]:
    """Players of which the first byte, and the first keyframe, is counted."""
    series = exporter.scrape()
    names = ("fastflv_join_first_byte_seconds_count", "fastflv_join_first_keyframe_seconds_count")
    first, key = (series[name, frozenset()] for name in names)
    return first, key


def test_the_beginning_of_each_player_is_counted_once(exporter: Exporter, looped: str) -> None:
    first, key = beginnings(exporter)
    audience = Audience(exporter.server, looped, ("flv", "ws", "rtmp", "ts")).ready()
    until(lambda: beginnings(exporter) == (first + 4, key + 4), "four beginnings", 10)
    assert beginnings(exporter) == (first + 4, key + 4)
    for seat in audience.seats.values():
        seat.player.close()
    until(lambda: len(exporter.server.clients()) == 1, "the end of the players", 10)
    assert beginnings(exporter) == (first + 4, key + 4)
    # Nobody looks while it is there.
    with Player(exporter.server.http, f"/live/{looped}.flv") as player:
        player.frames(3)
    until(lambda: beginnings(exporter) == (first + 5, key + 5), "one that came and went", 10)


def test_a_player_that_waits_for_its_publisher_waits_for_its_first_byte(
    exporter: Exporter, h264: Clip
) -> None:
    name = "fastflv_join_first_byte_seconds_bucket"
    series = exporter.scrape()
    slow = series[name, frozenset({("le", "+Inf")})] - series[name, frozenset({("le", "0.5")})]
    with Player(exporter.server.http, "/live/late.flv") as player:
        exporter.server.log.wait("RTMP on")
        until(lambda: exporter.value("fastflv_requests_waiting") == 1, "a player that waits", 10)
        time.sleep(0.6)
        process = push(h264.path, exporter.server.publish_url("late"), loop=True)
        player.frames(3)

    def more() -> float:
        series = exporter.scrape()
        return series[name, frozenset({("le", "+Inf")})] - series[name, frozenset({("le", "0.5")})] - slow

    until(lambda: more() == 1, "one slow join", 10)
    end(process)


def test_players_over_tls_are_counted_too(serve: Callable[..., Server], h264: Clip, pair: Pair) -> None:
    secure = serve_tls(serve, vhost_text(), pair)
    server = secure.server
    process = push(h264.path, server.publish_url("one"), loop=True)
    until(lambda: "one" in server.streams(), "publish", 15)
    exporter = Exporter(server, server.api)
    with Player(secure.https, "/live/one.flv", tls=trusting(pair)) as player:
        player.frames(3)
        until(lambda: beginnings(exporter) == (1, 1), "its beginning", 10)
    end(process)


def test_the_time_of_hooks_is_counted(serve: Callable[..., Server], h264: Clip) -> None:
    with HookServer() as hooks:
        server = serve(vhost_text(more=hooks.block("on_publish", "on_play")))
        process = push(h264.path, server.publish_url("one"), loop=True)
        until(lambda: "one" in server.streams(), "publish", 15)
        with Player(server.http, "/live/one.flv") as player:
            player.frames(3)
        exporter = Exporter(server, server.api)
        until(lambda: exporter.value("fastflv_hook_seconds_count") == 2, "two hooks", 10)
        assert 0 < exporter.value("fastflv_hook_seconds_sum") < 20
        end(process)
