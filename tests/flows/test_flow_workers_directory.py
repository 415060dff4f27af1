"""Workers in a cluster: each has its own place in the directory, and none is another server to the others."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from player import Player
from publisher import Publisher, film, headers
from redisserver import RedisServer
from server import Server, until, vhost_text
from workers import Workers, holds


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with RedisServer(tmp_path) as redis:
        yield redis.url()


def vhosts(url: str, more: str = "") -> str:
    cluster = f"cluster {{ directory {url}; advertise 127.0.0.1; {more} }}"
    return vhost_text(publish="grace 0; normal_timeout 60000;", more=cluster)


def known(server: Server) -> list[str]:
    return sorted(row["name"] for row in server.ask("clusters/streams?count=100")["streams"])


def test_a_worker_that_dies_leaves_the_streams_of_the_others_in_the_directory(
    url: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with (
        Server(tmp_path_factory.mktemp("edge"), vhosts(url, "mode remote;")) as edge,
        Workers(tmp_path, vhosts(url)) as origin,
    ):
        one, two = origin.pids()
        publishers: list[Publisher] = []
        while not any(holds(one, each) for each in publishers) or not any(
            holds(two, each) for each in publishers
        ):
            publishers.append(Publisher(origin.rtmp).publish(f"s{len(publishers)}"))
            publishers[-1].tags([*headers(), *film(30)])
        names = [f"s{number}" for number in range(len(publishers))]
        until(lambda: known(edge) == known(origin) == names, "all streams are known everywhere")
        nodes = origin.ask("clusters/directories")["directories"][0]["nodes"]
        assert [node["own"] for node in nodes] == ["." in node["mark"] for node in nodes]
        left = [name for name, each in zip(names, publishers, strict=True) if holds(two, each)]
        mark = len(origin.log.lines)
        os.kill(one, signal.SIGKILL)
        origin.log.wait(r"directory .* is there", mark, timeout=60)
        until(lambda: known(edge) == left, "the streams of the one that died are forgotten", 20)
        # Either worker has the stream for the edge, and sends nobody elsewhere.
        for server in (edge, *(origin for _ in range(6))):
            with Player(server.http, f"/live/{left[0]}.flv") as player:
                player.until(lambda me: me.count() > 3)
                assert player.status == 200
        for each in publishers:
            each.close()
