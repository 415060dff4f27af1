"""Servers whose directory is a Redis behind Sentinels, of which the master dies: real processes of Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis
from chain import api, node, port, until
from embedded import Film, looped
from redisserver import RedisServer
from server import HOST
from viewer import Viewer, check_whole

import fastflv

WEB = "http_server { enabled on; listen 127.0.0.1:0; }"
REMUX = "http_remux { enabled on; } play { start gop; on_missing 0; }"


class Guarded(NamedTuple):
    """A master and its replica, watched by a Sentinel."""

    master: RedisServer
    replica: RedisServer
    sentinel: RedisServer

    @property
    def url(self) -> str:
        return f"redis+sentinel://:secret@{HOST}:{self.sentinel.port}/mymaster/0"


def ask(server: RedisServer, *words: str) -> Any:
    with redis.Redis(HOST, server.port, password="secret", decode_responses=True) as client:
        return client.execute_command(*words)


@contextmanager
def guarded(folder: Path) -> Iterator[Guarded]:
    """The Sentinel takes the master for dead after half a second without an answer."""
    with ExitStack() as stack:
        master = stack.enter_context(RedisServer(folder, password="secret"))
        replica = stack.enter_context(
            RedisServer(folder, f"replicaof {HOST} {master.port}", password="secret")
        )
        lines = (
            f"sentinel monitor mymaster {HOST} {master.port} 1",
            "sentinel auth-pass mymaster secret",
            "sentinel down-after-milliseconds mymaster 500",
            "sentinel failover-timeout mymaster 3000",
        )
        sentinel = stack.enter_context(RedisServer(folder, *lines, sentinel=True, password="secret"))
        yield Guarded(master, replica, sentinel)


async def present(*servers: fastflv.Server) -> bool:
    """Whether each server is linked, and knows all."""
    rows = [(await api(server, "clusters/directories"))["directories"][0] for server in servers]
    return all(row["up"] and len(row["nodes"]) == len(servers) for row in rows)


async def known(server: fastflv.Server) -> list[str]:
    return sorted(row["name"] for row in (await api(server, "clusters/streams"))["streams"])


@pytest.mark.slow
@looped
async def test_the_directory_goes_on_at_the_master_that_sentinel_names_and_viewers_see_nothing(
    tmp_path: Path,
):
    with guarded(tmp_path) as site:
        # The Sentinel learns of the replica from the master, which it asks every ten seconds.
        await until(lambda: _replicas(site, 1))
        async with (
            node(port(), f"cluster {{ directory {site.url}; advertise 127.0.0.1; }}") as origin,
            node(
                port(),
                f"cluster {{ mode remote; directory {site.url}; advertise 127.0.0.1; }} {REMUX}",
                more=WEB,
            ) as edge,
        ):
            await until(lambda: present(origin, edge))
            async with origin.publish("live/x") as publisher:
                film = await Film(publisher).begin()
                await film.frames(30)
                await until(lambda: _are(edge, "x"))
                async with Viewer(edge, "/live/x.flv") as viewer:
                    check_whole(await viewer.more(5))
                    clients = [client.id for client in edge.clients]
                    site.master.stop()

                    async def lost() -> bool:
                        await film.frame()
                        return not await present(origin, edge)

                    await until(lost)

                    async def back() -> bool:
                        await film.frame()
                        return await present(origin, edge)

                    await until(back)
                    assert ask(site.replica, "ROLE")[0] == "master"
                    # One of each server, and that which asks.
                    assert len(ask(site.sentinel, "CLIENT", "LIST").splitlines()) == 3
                    check_whole(await viewer.more(40))
                    assert [client.id for client in edge.clients] == clients
                    async with origin.publish("live/y") as second:
                        await (await Film(second).begin()).frames(30)
                        async with Viewer(edge, "/live/y.flv") as other:
                            check_whole(await other.more(5))
                    await until(lambda: _are(edge, "x"))


async def _replicas(site: Guarded, count: int) -> bool:
    return len(ask(site.sentinel, "SENTINEL", "REPLICAS", "mymaster")) == count


async def _are(server: fastflv.Server, *names: str) -> bool:
    return await known(server) == list(names)
