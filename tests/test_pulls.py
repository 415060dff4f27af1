"""Edges that fetch streams from origins: all of them servers in the loop of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
from embedded import Film, conf, looped
from model.loop import until
from viewer import Viewer, check_whole

import fastflv


def edge_conf(*origins: int, protocol: str = "rtmp", more: str = "", vhost: str = "") -> str:
    """Of an edge of the servers at these ports."""
    places = " ".join(f"127.0.0.1:{port}" for port in origins)
    return conf(
        f"cluster {{ mode remote; origin {places}; protocol {protocol}; linger 0.2; {more} }}"
        f" play {{ start gop; on_missing 0; }} {vhost}"
    )


ORIGIN = conf("play { on_missing 0; }")


def port_of(origin: fastflv.Server, protocol: str = "rtmp") -> int:
    return origin.ports("HTTP" if protocol == "flv" else "RTMP")[0]


@asynccontextmanager
async def filming(*origins: fastflv.Server, name: str = "live/x") -> AsyncIterator[None]:
    """Publish the same 25 pictures a second to all, a GOP of them at once."""
    publishers = [origin.publish(name) for origin in origins]
    films = [Film(await publisher.__aenter__()) for publisher in publishers]

    async def go_on() -> None:
        while True:
            await asyncio.sleep(0.04)
            for film in films:
                await film.frame()

    for film in films:
        await film.begin()
        await film.frames(30)
    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        for publisher in publishers:
            await publisher.__aexit__(None, None, None)


def players(server: fastflv.Server) -> list[fastflv.ClientView]:
    return [client for client in server.clients if not client.publish]


def names(streams: Iterable[fastflv.StreamView]) -> list[str]:
    return [stream.name.stream for stream in streams]


@pytest.mark.parametrize("protocol", ["rtmp", "flv"])
@looped
async def test_the_first_viewer_makes_the_edge_fetch_once_and_the_last_one_ends_that(protocol):
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(edge_conf(port_of(origin, protocol), protocol=protocol)) as edge,
        filming(origin, name="live/x.y"),
    ):
        assert not edge.streams and not players(origin)
        async with Viewer(edge, "/live/x.y.flv") as one, Viewer(edge, "/live/x.y.flv?token=a.b") as two:
            check_whole(await one.more(40))
            check_whole(await two.more(40))
            assert len(players(origin)) == 1
        await until(lambda: not players(origin) and not edge.streams)


@looped
async def test_a_viewer_who_comes_back_within_linger_joins_what_is_there():
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(edge_conf(port_of(origin), more="linger 30;")) as edge,
        filming(origin),
    ):
        for _ in range(3):
            async with Viewer(edge, "/live/x.flv") as viewer:
                check_whole(await viewer.more(3))
            await until(lambda: not players(edge))
        assert len(players(origin)) == 1


@pytest.mark.parametrize("protocol", ["rtmp", "flv"])
@looped
async def test_a_stream_that_no_origin_has_is_404_and_asked_for_once(protocol):
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(edge_conf(port_of(origin, protocol), protocol=protocol)) as edge,
    ):
        for _ in range(5):
            async with Viewer(edge, "/live/none.flv") as viewer:
                assert await viewer.answer() == 404
        assert not edge.streams
