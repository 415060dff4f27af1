"""Origins that are dead or silent: what they cost the streams of an edge, and how they are found alive again."""

from __future__ import annotations

import asyncio
import socket

from chain import api
from edgesite import ORIGIN, edge_conf, filming, players, port_of
from embedded import conf, looped
from model.loop import until
from model.ports import free_ports
from viewer import Viewer, check_whole

import fastflv
from fastflv.cluster.address import OriginAddress
from fastflv.cluster.origins import Origins, ask_for_life


@looped
async def test_a_dead_first_origin_is_asked_behind_the_others_from_then_on(caplog):
    (dead,) = free_ports(1)
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(edge_conf(dead, port_of(origin))) as edge,
        filming(origin, name="live/x"),
        filming(origin, name="live/y"),
    ):
        async with Viewer(edge, "/live/x.flv") as viewer:
            check_whole(await viewer.more(3))
        assert caplog.text.count(f"origin rtmp://127.0.0.1:{dead} is down") == 1
        before = len(caplog.messages)
        async with Viewer(edge, "/live/y.flv") as viewer:
            check_whole(await viewer.more(3))
        assert str(dead) not in "\n".join(caplog.messages[before:])


@looped
async def test_a_first_origin_that_says_nothing_is_not_waited_for(caplog):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with (
            fastflv.Server(ORIGIN) as origin,
            fastflv.Server(edge_conf(port, port_of(origin))) as edge,
            filming(origin),
            Viewer(edge, "/live/x.flv") as viewer,
        ):
            check_whole(await viewer.more(3))
            assert f"origin rtmp://127.0.0.1:{port} is down: it says nothing" in caplog.text
            assert len(players(origin)) == 1


@looped
async def test_viewers_wait_while_no_origin_can_be_reached_and_are_then_told_so():
    (port,) = free_ports(1)
    async with fastflv.Server(edge_conf(port)) as edge, Viewer(edge, "/live/x.flv") as viewer:
        listening = conf().replace("127.0.0.1:0", f"127.0.0.1:{port}", 1)
        await asyncio.sleep(0.1)
        async with fastflv.Server(listening) as origin, filming(origin):
            check_whole(await viewer.more(3))


@looped
async def test_an_origin_that_answers_again_is_up(monkeypatch):
    monkeypatch.setattr("fastflv.limits.ORIGIN_CHECK_SECONDS", 0.01)
    loop = asyncio.get_running_loop()
    (port,) = free_ports(1)
    address = OriginAddress("rtmp", "127.0.0.1", port)
    origins = Origins(loop, ask_for_life, lambda address: True)
    other = OriginAddress("rtmp", "127.0.0.2", port)
    assert origins.ordered([address, other]) == [address, other]
    origins.failed(address, "for a test")
    assert origins.ordered([address, other]) == [other, address]
    listening = conf().replace("127.0.0.1:0", f"127.0.0.1:{port}", 1)
    async with fastflv.Server(listening):
        await until(lambda: not origins.health(address).fault)
    assert origins.ordered([address, other]) == [address, other]
    await origins.close()


@looped
async def test_an_origin_that_is_out_of_the_file_is_forgotten_and_the_others_keep_their_health():
    dead, gone, here = free_ports(3)
    listening = conf().replace("127.0.0.1:0", f"127.0.0.1:{here}", 1)
    async with (
        fastflv.Server(listening) as origin,
        fastflv.Server(with_api(edge_conf(dead, gone, here))) as edge,
        filming(origin),
        Viewer(edge, "/live/x.flv") as viewer,
    ):
        check_whole(await viewer.more(3))
        assert await upstreams(edge) == {dead: (False, 0), gone: (False, 0), here: (True, 1)}
        edge.reload(with_api(edge_conf(dead, here, more="vhost other;")))
        assert await upstreams(edge) == {dead: (False, 0), here: (True, 1)}
        edge.reload(with_api(edge_conf(dead)))
        # It brings the stream until another one does.
        assert await upstreams(edge) == {dead: (False, 0), here: (True, 1)}
        check_whole(await viewer.more(3))
    async with fastflv.Server(with_api(edge_conf(dead, here))) as edge:
        async with (
            fastflv.Server(listening) as origin,
            filming(origin),
            Viewer(edge, "/live/x.flv") as viewer,
        ):
            await viewer.more(3)
            edge.reload(with_api(edge_conf(dead)))
        async with asyncio.timeout(10):
            while set(await upstreams(edge)) != {dead}:
                await asyncio.sleep(0.01)


def with_api(text: str) -> str:
    return text.replace("enabled off;", "enabled on; listen 127.0.0.1:0;", 1)


async def upstreams(edge: fastflv.Server) -> dict[int, tuple[bool, int]]:
    """Whether each origin is up, and how many streams it brings, by port."""
    rows = (await api(edge, "upstreams"))["upstreams"]
    return {int(row["url"].rpartition(":")[2]): (row["up"], row["streams"]) for row in rows}


@looped
async def test_an_origin_that_is_down_and_in_no_directory_any_more_is_forgotten(monkeypatch):
    monkeypatch.setattr("fastflv.limits.ORIGIN_CHECK_SECONDS", 0.01)
    address = OriginAddress("rtmp", "127.0.0.1", free_ports(1)[0])
    named = {address}
    origins = Origins(asyncio.get_running_loop(), ask_for_life, named.__contains__)
    origins.health(address)
    origins.failed(address, "for a test")
    await asyncio.sleep(0.05)
    assert [health.address for health in origins] == [address]
    named.clear()
    await until(lambda: not len(origins))
    await origins.close()


@looped
async def test_origins_that_were_asked_and_are_in_no_directory_any_more_do_not_add_up():
    servers = [OriginAddress("rtmp", "127.0.0.1", port) for port in range(1, 6)]
    named: set[OriginAddress] = set()
    origins = Origins(asyncio.get_running_loop(), ask_for_life, named.__contains__)
    for server in servers:
        named.clear()
        named.add(server)
        assert origins.ordered([server]) == [server]
    assert [health.address for health in origins] == servers[-1:]
    await origins.close()


@looped
async def test_a_process_that_stands_shows_no_life(monkeypatch):
    monkeypatch.setattr("fastflv.limits.UPSTREAM_ANSWER_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for scheme in ("rtmp", "http"):
            address = OriginAddress(scheme, "127.0.0.1", silent.getsockname()[1])
            assert await ask_for_life(address) == "no answer in time"
    for scheme in ("rtmp", "http"):
        assert await ask_for_life(OriginAddress(scheme, "127.0.0.1", free_ports(1)[0]))


@looped
async def test_an_origin_of_http_shows_life():
    async with fastflv.Server(ORIGIN) as origin:
        assert await ask_for_life(OriginAddress("http", "127.0.0.1", port_of(origin, "flv"))) == ""
