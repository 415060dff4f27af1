"""Origins and edges: servers in the loop of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from brokenline import BrokenLine
from embedded import Film, conf

import fastflv
from fastflv._ext.ingest.sink import CollectSink
from fastflv.protocols.rtmp.client import ClientSession
from fastflv.protocols.rtmp.clientevents import ClientEvent, Failed, Started
from fastflv.protocols.rtmp.connectarguments import ConnectArguments


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
async def filming(
    *origins: fastflv.Server, name: str = "live/x", size: int = 200
) -> AsyncIterator[asyncio.Event]:
    """Publish the same pictures to all, 50 a second, a GOP of them at once; their times say 25 a second.

    It pauses while what is returned is cleared.
    """
    going = asyncio.Event()
    going.set()
    publishers = [origin.publish(name) for origin in origins]
    films = [Film(await publisher.__aenter__(), size) for publisher in publishers]

    async def go_on() -> None:
        # A server may have stopped.
        with suppress(fastflv.PublishError):
            while True:
                await asyncio.sleep(0.02)
                await going.wait()
                for film in films:
                    await film.frame()

    for film in films:
        await film.begin()
        await film.frames(30)
    task = asyncio.create_task(go_on())
    try:
        yield going
    finally:
        task.cancel()
        for publisher in publishers:
            await publisher.__aexit__(None, None, None)


class TwoOrigins(NamedTuple):
    """An edge of two origins, the first one behind a line that may be cut."""

    first: fastflv.Server
    second: fastflv.Server
    line: BrokenLine
    edge: fastflv.Server


@asynccontextmanager
async def two_origins(protocol: str = "rtmp", more: str = "") -> AsyncIterator[TwoOrigins]:
    """*more*: directives of `cluster`."""
    async with (
        fastflv.Server(ORIGIN) as first,
        fastflv.Server(ORIGIN) as second,
        BrokenLine(port_of(first, protocol)) as line,
        fastflv.Server(edge_conf(line.port, port_of(second, protocol), protocol=protocol, more=more)) as edge,
    ):
        yield TwoOrigins(first, second, line, edge)


def players(server: fastflv.Server) -> list[fastflv.ClientView]:
    return [client for client in server.clients if not client.publish]


async def ask_to_play(server: fastflv.Server, name: str, query: str = "") -> ClientEvent:
    """Return what the server says to an RTMP player."""
    port = port_of(server)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    tc_url = f"rtmp://127.0.0.1:{port}/live{query}"
    session = ClientSession(ConnectArguments(tc_url=tc_url, app="live"), noise=bytes)
    session.play(name, CollectSink())
    try:
        while True:
            writer.write(session.take_output())
            for event in session.receive(await reader.read(65536)):
                if isinstance(event, Started | Failed):
                    return event
    finally:
        writer.close()
