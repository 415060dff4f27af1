"""Servers that find each other's streams by a real Redis, and what happens when it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest
from chain import api, node, port, until
from embedded import Film, looped
from redisserver import RedisServer
from tlsfiles import make_pair

import fastflv
from fastflv.cluster.directory import Directory, NodeCard
from fastflv.cluster.directorylink import DirectoryLink

EDGE = "mode remote;"


def cluster(url: str, more: str = "") -> str:
    return f"cluster {{ directory {url}; advertise 127.0.0.1; {more} }}"


async def up(*servers: fastflv.Server, count: int = 0) -> None:
    """Wait until each of *servers* knows all of them, or *count* servers."""

    async def known() -> bool:
        found = [(await api(server, "clusters/directories"))["directories"][0] for server in servers]
        return all(each["up"] and len(each["nodes"]) == (count or len(servers)) for each in found)

    await until(known)


async def streams(server: fastflv.Server) -> list[str]:
    return sorted(row["name"] for row in (await api(server, "clusters/streams"))["streams"])


async def names(server: fastflv.Server, *wanted: str) -> None:
    """Wait until the cluster has the streams *wanted*, as *server* sees it."""

    async def there() -> bool:
        return await streams(server) == sorted(wanted)

    await until(there)


@looped
async def test_an_edge_without_origins_finds_streams_by_the_directory(tmp_path: Path):
    with RedisServer(tmp_path) as redis:
        url = redis.url()
        async with (
            node(port(), cluster(url)) as one,
            node(port(), cluster(url)) as two,
            node(port(), cluster(url, EDGE)) as edge,
        ):
            await up(one, two, edge)
            async with one.publish("live/x") as publisher, two.publish("live/y") as other:
                films = [await Film(each).begin() for each in (publisher, other)]
                for film in films:
                    await film.frames(30)
                for server in (one, two, edge):
                    await names(server, "x", "y")
                for name in ("x", "y"):
                    assert await play(edge, f"live/{name}") == [25, 26, 27]
            await names(edge)


@looped
async def test_pages_of_the_streams_of_a_cluster_go_on_at_any_server(tmp_path: Path):
    with RedisServer(tmp_path) as redis:
        url = redis.url()
        async with (
            node(port(), cluster(url)) as one,
            node(port(), cluster(url)) as two,
            one.publish("live/y"),
            two.publish("live/z"),
            one.publish("live/x"),
            node(port(), cluster(url, EDGE)) as edge,
        ):
            servers = (one, two, edge)
            for server in servers:
                await names(server, "x", "y", "z")
            for turn in (servers, (two, one, edge), (edge, two, one)):
                pages = [await api(at, f"clusters/streams?start={i}&count=1") for i, at in enumerate(turn)]
                assert sorted(page["streams"][0]["name"] for page in pages) == ["x", "y", "z"]


async def play(server: fastflv.Server, name: str) -> list[int]:
    """The numbers of the first three pictures that an RTMP player has."""
    return await asyncio.to_thread(_play, f"rtmp://127.0.0.1:{server.ports('RTMP')[0]}/{name}?start=gop")


def _play(url: str) -> list[int]:
    from fastflv.tools.source import open_source

    found: list[int] = []
    for tags in open_source(url, timeout=20).tags():
        found += [int.from_bytes(tag.body[5:9], "big") for tag in tags if tag.kind == 9 and tag.body[1] == 1]
        if len(found) >= 3:
            break
    return found[:3]


@looped
async def test_a_viewer_who_is_there_before_the_publisher_has_the_stream_when_it_begins(tmp_path: Path):
    with RedisServer(tmp_path) as redis:
        url = redis.url()
        async with node(port(), cluster(url)) as origin, node(port(), cluster(url, EDGE)) as edge:
            await up(origin, edge)
            playing = asyncio.create_task(play(edge, "live/late"))
            await until(lambda: waiting(edge))
            async with origin.publish("live/late") as publisher:
                film = await Film(publisher).begin()
                while not playing.done():
                    await film.frame()
                    await asyncio.sleep(0.01)
            assert len(await playing) == 3


async def waiting(server: fastflv.Server) -> bool:
    return any(row["state"] == "waiting" for row in (await api(server, "clients"))["clients"])


@looped
async def test_a_publish_to_an_edge_without_origins_goes_to_one_of_the_directory(tmp_path: Path):
    with RedisServer(tmp_path) as redis:
        url = redis.url()
        async with node(port(), cluster(url)) as origin, node(port(), cluster(url, EDGE)) as edge:
            await up(origin, edge)
            async with edge.publish("live/x") as publisher:
                film = await Film(publisher).begin()
                await names(edge, "x")
                while not origin.streams:
                    await film.frame()
                assert [view.name.stream for view in origin.streams] == ["x"]


@looped
async def test_a_player_at_the_wrong_origin_is_sent_to_the_one_that_has_the_stream(tmp_path: Path):
    with RedisServer(tmp_path) as redis:
        url = redis.url()
        async with (
            node(port(), cluster(url)) as one,
            node(port(), cluster(url)) as two,
            node(port(), cluster(url, "redirect off;")) as three,
        ):
            await up(one, two, three)
            async with one.publish("live/x") as publisher:
                await (await Film(publisher).begin()).frames(30)
                await names(two, "x")
                assert await play(two, "live/x") == [25, 26, 27]
                assert not two.streams


@looped
async def test_a_lost_redis_leaves_streams_and_what_is_known_and_says_so(tmp_path: Path, caplog):
    with RedisServer(tmp_path) as redis:
        url = redis.url()
        async with node(port(), cluster(url)) as origin, node(port(), cluster(url, EDGE)) as edge:
            await up(origin, edge)
            async with origin.publish("live/x") as publisher:
                film = await Film(publisher).begin()
                await film.frames(30)
                await names(edge, "x")
                redis.stop()
                (row,) = await until(lambda: lost(edge))
                assert len(row["nodes"]) == 2
                await film.frames(10)
                assert await play(edge, "live/x") == [25, 26, 27]
                async with origin.publish("live/y") as second:
                    await (await Film(second).begin()).frames(30)
                    assert await streams(edge) == ["x"]
                    redis.start()
                    # It holds nothing any more: each server tells again what it has.
                    await names(edge, "x", "y")
                    await up(origin, edge)
        assert "is lost" in caplog.text and "running streams go on" in caplog.text


async def lost(server: fastflv.Server) -> list[dict[str, Any]] | None:
    rows: list[dict[str, Any]] = (await api(server, "clusters/directories"))["directories"]
    return rows if rows[0]["fault"] else None


@looped
async def test_a_server_that_stops_is_taken_out_at_once(tmp_path: Path):
    with RedisServer(tmp_path) as redis:
        url = redis.url()
        async with node(port(), cluster(url)) as one:
            async with node(port(), cluster(url)) as two:
                await up(one, two)
            await up(one, count=1)


@looped
async def test_a_server_that_stops_while_it_connects_comes_to_its_end(tmp_path: Path):
    with RedisServer(tmp_path) as redis:
        for turns in range(60):
            link = DirectoryLink(asyncio.get_running_loop(), redis.url(), Directory("me"), NodeCard)
            link.start()
            for _ in range(turns):
                await asyncio.sleep(0)
            await link.stop()


@looped
async def test_a_server_that_stops_with_publishers_comes_to_its_end(tmp_path: Path):
    with RedisServer(tmp_path) as redis:
        async with node(port(), cluster(redis.url())) as one:
            async with node(port(), cluster(redis.url())) as two:
                await up(one, two)
                for number in range(8):
                    film = await Film(await two.publish(f"live/{number}").__aenter__()).begin()
                    await film.frames(3)
            await up(one, count=1)


@looped
async def test_a_reload_joins_and_leaves_a_directory(tmp_path: Path):
    from chain import CONF

    with RedisServer(tmp_path) as redis:
        url, here = redis.url(), port()
        async with node(port(), cluster(url)) as one, node(here) as two, two.publish("live/x") as publisher:
            await (await Film(publisher).begin()).frames(3)
            await up(one)
            for block, found in ((cluster(url), ("x",)), ("", ())):
                two.reload(CONF.format(rtmp=here, vhost=block, grace=0, more=""))
                await names(one, *found)


Open = Callable[[Path, ExitStack], str]


def with_password(folder: Path, stack: ExitStack) -> str:
    return stack.enter_context(RedisServer(folder, password="pa:ss")).url(password="pa%3Ass")


def with_tls(folder: Path, stack: ExitStack) -> str:
    redis = stack.enter_context(RedisServer(folder, tls=make_pair(folder)))
    return redis.url("rediss") + "?ssl_cert_reqs=none"


def with_sentinel(folder: Path, stack: ExitStack) -> str:
    redis = stack.enter_context(RedisServer(folder, password="secret"))
    lines = (f"sentinel monitor mymaster 127.0.0.1 {redis.port} 1", "sentinel auth-pass mymaster secret")
    watch = stack.enter_context(RedisServer(folder, *lines, sentinel=True, password="secret"))
    return f"redis+sentinel://:secret@127.0.0.1:{watch.port}/mymaster/0"


@pytest.mark.parametrize("open_", [with_password, with_tls, with_sentinel])
def test_redis_with_a_password_over_tls_and_behind_a_sentinel_is_used(tmp_path: Path, open_: Open):
    async def run() -> None:
        async with AsyncExitStack() as nodes:
            with ExitStack() as stack:
                url = open_(tmp_path, stack)
                servers = [await nodes.enter_async_context(node(port(), cluster(url))) for _ in range(2)]
                await up(*servers)
                shown = (await api(servers[0], "clusters/directories"))["directories"][0]["url"]
                assert "secret" not in shown and "pa%3Ass" not in shown
                async with servers[0].publish("live/x"):
                    await names(servers[1], "x")
                await nodes.aclose()

    asyncio.run(asyncio.wait_for(run(), 60))


@looped
async def test_an_edge_that_is_full_sends_viewers_to_the_other_one(tmp_path: Path):
    web = "http_server { enabled on; listen 127.0.0.1:0; }"
    remux = "http_remux { enabled on; }"
    with RedisServer(tmp_path) as redis:
        url = redis.url()
        async with (
            node(port(), cluster(url)) as origin,
            node(port(), cluster(url, f"{EDGE} max_players 1;") + remux, more=web) as full,
            node(port(), cluster(url, EDGE) + remux, more=web) as other,
        ):
            await up(origin, full, other)
            async with origin.publish("live/x") as publisher:
                await (await Film(publisher).begin()).frames(30)
                await names(full, "x")
                head, writer = await ask(full)
                assert head.startswith("HTTP/1.1 200")
                turned_away, _ = await ask(full)
                assert turned_away.startswith("HTTP/1.1 302")
                there = f"Location: http://127.0.0.1:{other.ports('HTTP')[0]}/live/x.flv?a=b\r\n"
                assert there in turned_away
                writer.close()
                assert (await ask(other))[0].startswith("HTTP/1.1 200")


async def ask(server: fastflv.Server) -> tuple[str, asyncio.StreamWriter]:
    """Ask for the stream over HTTP; return the head of the answer, and the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.ports("HTTP")[0])
    writer.write(b"GET /live/x.flv?a=b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return (await reader.readuntil(b"\r\n\r\n")).decode(), writer
