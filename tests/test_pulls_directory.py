"""Pulls of streams that are found in a directory: what the news of other servers cost, and whom they reach."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from model.apisite import CONF, Caller, gop, looped, running
from model.loop import until

from fastflv.cluster.directory import Directory, NodeCard, key_of
from fastflv.cluster.options import EdgeOptions
from fastflv.config.load import load_text
from fastflv.stream.name import StreamName

COUNT = 40


def cluster(more: str = "") -> str:
    """The blocks of an edge whose Redis is not there."""
    return f"cluster {{ mode remote; directory redis://127.0.0.1:1/0; {more} }} play {{ on_missing 60; start gop; }}"


def cameras(vhost: str) -> list[StreamName]:
    return [StreamName(vhost, "live", f"cam{number}") for number in range(COUNT)]


@asynccontextmanager
async def waiting(cluster: str) -> AsyncIterator[tuple[Caller, Directory, list[asyncio.StreamReader]]]:
    """An edge with a viewer for each camera, its directory, and what the viewers read."""
    async with running(default=cluster) as edge:
        readers, writers = [], []
        for name in cameras("v"):
            reader, writer = await asyncio.open_connection("127.0.0.1", edge.http)
            writer.write(f"GET /live/{name.stream}.flv HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            readers.append(reader)
            writers.append(writer)
        await until(lambda: len(edge.server.parts.cluster.pulls) == COUNT)
        (link,) = edge.server.parts.cluster.directories
        yield edge, link.directory, readers
        for writer in writers:
            writer.close()


def have(directory: Directory, origin: Caller, names: list[StreamName]) -> None:
    card = NodeCard(addresses={"rtmp": f"127.0.0.1:{origin.rtmp}"})
    directory.put("other", card, 1, {key_of(name): 1.0 for name in names})


def publish(origin: Caller, names: list[StreamName]) -> None:
    for number, name in enumerate(names):
        gop(origin, origin.publish(name, f"pub{number:05}"), name)


@looped
async def test_the_news_of_a_stream_cost_no_look_at_the_pulls_of_others(monkeypatch):
    asked, at_origin = [], EdgeOptions.vhost_at_origin

    def count(options: EdgeOptions, vhost: str) -> str:
        asked.append(vhost)
        return at_origin(options, vhost)

    names = cameras("__defaultVhost__")
    async with running() as origin, waiting(cluster()) as (_, directory, readers):
        publish(origin, names)
        monkeypatch.setattr(EdgeOptions, "vhost_at_origin", count)
        have(directory, origin, names)
        for reader in readers:
            await reader.readuntil(b"FLV\x01")
        assert len(asked) < 10 * COUNT


@looped
async def test_a_reload_that_renames_the_vhost_at_the_origin_has_its_news_reach_the_pulls():
    async with running() as origin, waiting(cluster("vhost a.example;")) as (edge, directory, readers):
        names = cameras("b.example")
        publish(origin, names)
        renamed = cluster("vhost b.example;")
        text = CONF.format(edge.rtmp, edge.http, edge.api, more="", top="", default=renamed)
        edge.server.reload(load_text(text))
        have(directory, origin, names)
        for reader in readers:
            await reader.readuntil(b"FLV\x01")
