"""What is done once for each publish is done by the worker that has the publisher: recordings, forwards, files of HLS."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from player import Player
from publisher import Publisher, film, headers
from server import HOST, Server, until, vhost_text
from workers import Workers, holds


@pytest.fixture
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(
        tmp_path_factory.mktemp("target"), vhost_text(publish="grace 0; normal_timeout 60000;")
    ) as server:
        yield server


def test_streams_are_recorded_forwarded_and_written_once_wherever_they_are_published(
    target: Server, tmp_path: Path
) -> None:
    more = f"""
        dvr {{ enabled on; dvr_path {tmp_path}/dvr/[stream].[timestamp].flv; }}
        forward {{ enabled on; destination {HOST}:{target.rtmp}; }}
        hls {{ enabled on; hls_path {tmp_path}/hls; hls_fragment 1; hls_window 60; hls_dispose 0; }}
    """
    with Workers(tmp_path, vhost_text(publish="grace 5; normal_timeout 60000;", more=more)) as server:
        one, two = server.pids()
        publisher = Publisher(server.rtmp).publish("cam")
        publisher.tags([*headers(), *film(75)])
        players = watch(server)
        until(lambda: published(target) == ["cam"], "the stream is forwarded")
        assert server.ask("forwards")["total"] == 1
        playlist = tmp_path / "hls" / "live" / "cam.m3u8"
        sending = send(publisher)
        until(lambda: next(sending) and playlist.exists(), "segments are written")
        assert len(list((tmp_path / "dvr").glob("cam.*"))) == 1
        # The encoder comes back to the other worker, which goes on with all three.
        first = one if holds(one, publisher) else two
        publisher.finish()
        while holds(first, publisher := Publisher(server.rtmp)):
            publisher.close()
        publisher.publish("cam")
        publisher.tags([*headers(), *film(75)])
        until(lambda: len(list((tmp_path / "dvr").glob("cam.*"))) == 2, "it is recorded by the other worker")
        until(lambda: published(target) == ["cam"], "it is forwarded by the other worker", 20)
        assert server.ask("forwards")["total"] == 1
        count, sending = playlist.read_text().count(".ts"), send(publisher)
        until(lambda: next(sending) and playlist.read_text().count(".ts") > count, "the playlist goes on")
        assert "ENDLIST" not in playlist.read_text()
        for player in players:
            player.until(lambda me: me.count() > 100)
            player.close()
        publisher.finish()
    names = [line for line in playlist.read_text().splitlines() if line.endswith(".ts")]
    assert len(set(names)) == len(names) == len(list(playlist.parent.glob("*.ts")))


def send(publisher: Publisher) -> Iterator[bool]:
    """Send a GOP of a second with each step, behind the first three."""
    for number in itertools.count(3):
        publisher.tags(film(25, start=number * 1000, first=number * 25))
        yield True


def watch(server: Server) -> list[Player]:
    """Play the stream at both workers: that all come to one is improbable."""
    players = [Player(server.http, "/live/cam.flv") for _ in range(10)]
    for player in players:
        player.until(lambda me: me.count() > 3)
    return players


def published(server: Server) -> list[str]:
    return [name for name, row in server.streams().items() if row["publish"]["active"]]
