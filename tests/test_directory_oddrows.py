"""A Redis in which somebody else has written: what is none of fastflv's is left out, and the link goes on."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from embedded import looped
from model.loop import until
from redis.asyncio import Redis
from redisserver import RedisServer

from fastflv import limits
from fastflv.cluster.directory import Directory, NodeCard
from fastflv.cluster.directorylink import NEWS, NODE, NODES, DirectoryLink

CARD = json.dumps(NodeCard("other").fields())
STREAM = "v/live/x"


@asynccontextmanager
async def linked(redis: RedisServer, mark: str = "me") -> AsyncIterator[DirectoryLink]:
    link = DirectoryLink(asyncio.get_running_loop(), redis.url(), Directory(mark), NodeCard)
    link.start()
    try:
        await until(lambda: not link.fault)
        yield link
    finally:
        await link.stop()


async def write(client: Any, mark: str | bytes, fields: object) -> None:
    """Have Redis hold *fields* of a server, and tell all links to read them."""
    key = NODE.encode() + (mark.encode() if isinstance(mark, str) else mark)
    await client.delete(key)
    await client.sadd(NODES, mark)
    if isinstance(fields, dict):
        await client.hset(key, mapping=fields)
    else:
        await client.set(key, fields)
    await client.publish(NEWS, json.dumps({"node": str(mark), "version": 1}))


ODD = {
    "no-hash": ("odd", "a text", "the key is no hash"),
    "no-number": ("odd", {"version": "seven", "card": CARD}, "its version is no number"),
    "no-version": ("odd", {"card": CARD}, "version or card is missing"),
    "no-card": ("odd", {"version": "1"}, "version or card is missing"),
    "no-json": ("odd", {"version": "1", "card": "{"}, "its card is no JSON"),
    "no-utf8": ("odd", {"version": b"\xff", "card": b"\xff\xfe"}, "its version is no number"),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("first", [True, False], ids=["before", "meanwhile"])
@looped
async def test_a_row_that_is_none_is_left_out_with_one_line_and_others_are_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, odd: str, first: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limits, "DIRECTORY_RENEW_SECONDS", 0.05)
    monkeypatch.setattr(limits, "DIRECTORY_RETRY_SECONDS", 0.05)
    mark, fields, why = ODD[odd]
    with RedisServer(tmp_path) as redis, caplog.at_level(logging.WARNING):
        async with Redis.from_url(redis.url()) as client:
            if first:
                await write(client, mark, fields)
            async with linked(redis) as link, linked(redis, "third") as third:
                await write(client, mark, fields)
                await until(lambda: why in caplog.text)
                third.add(STREAM)
                await write(client, "other", {"version": 1, "card": CARD, f"s/{STREAM}": 1})
                await until(
                    lambda: (
                        {node.mark for node in link.directory if STREAM in node.streams} == {"third", "other"}
                    )
                )
                await write(client, mark, {"version": 2, "card": CARD})
                await until(lambda: mark in {node.mark for node in link.directory})
                assert not link.fault
    # Of each of the two links.
    assert caplog.text.count(why) == 2 and "is lost" not in caplog.text


@looped
async def test_names_that_are_no_utf8_and_news_of_anybody_end_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limits, "DIRECTORY_RENEW_SECONDS", 0.05)
    news = (
        b"\xff\xfe",
        b"{",
        b'{"node":"\\ud800","version":1,"began":{}}',
        b'{"node":"x","version":1,"began":{"v/live/x":1' + b"0" * 400 + b"}}",
        b'{"node":"other","version":2,"began":{"\\udcff":1,"v/live/y":NaN,"v/live/z":3}}',
    )
    with RedisServer(tmp_path) as redis:
        async with Redis.from_url(redis.url()) as client:
            await write(client, b"\xff\xfe", {"version": 1, "card": CARD, b"s/\xff": 1})
            async with linked(redis) as link:
                await write(
                    client, "other", {"version": 1, "card": CARD, b"s/v/live/\xff": 1, "s/v/a/b": "inf"}
                )
                await until(lambda: link.directory.node("other") is not None)
                for each in news * 2:
                    await client.publish(NEWS, each)
                other = link.directory.node("other")
                assert other is not None
                await until(lambda: "v/live/z" in other.streams)
                assert set(other.streams) == {"v/live/\ufffd", "v/live/z"}
                assert not link.fault
    assert caplog.text.count("none of fastflv's") == 1


@looped
async def test_a_set_of_servers_that_is_none_is_said_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limits, "DIRECTORY_RENEW_SECONDS", 0.05)
    monkeypatch.setattr(limits, "DIRECTORY_RETRY_SECONDS", 0.05)
    with RedisServer(tmp_path) as redis:
        async with Redis.from_url(redis.url()) as client, linked(redis) as link:
            await client.set(NODES, "a text")
            await until(lambda: "WRONGTYPE" in link.fault)
            await client.delete(NODES)
            await until(lambda: not link.fault)


@looped
async def test_a_server_whose_row_is_gone_or_changed_writes_all_of_it_with_its_next_stream(tmp_path: Path):
    with RedisServer(tmp_path) as redis:
        async with Redis.from_url(redis.url(), decode_responses=True) as client, linked(redis) as link:
            link.add("v/live/a")
            await until(lambda: client_has(client, link, "v/live/a"))
            for spoil in (
                lambda: client.delete(NODE + "me"),
                lambda: client.hset(NODE + "me", "version", "1"),
                lambda: client.set(NODE + "me", "a text"),
            ):
                await spoil()
                link.add(STREAM)
                async with asyncio.timeout(20):
                    while not await whole(client):
                        await asyncio.sleep(0.01)
                link.remove(STREAM)


def client_has(client: Any, link: DirectoryLink, key: str) -> bool:
    node = link.directory.node("me")
    return node is not None and key in node.streams


async def whole(client: Any) -> bool:
    if await client.type(NODE + "me") != "hash":
        return False
    return {"card", "version", "s/v/live/a", f"s/{STREAM}"} <= set(await client.hkeys(NODE + "me"))


@looped
async def test_a_url_that_redis_does_not_take_is_said_and_ends_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "DIRECTORY_RETRY_SECONDS", 0.01)
    url = "redis://127.0.0.1:1/0?socket_timeout=x"
    link = DirectoryLink(asyncio.get_running_loop(), url, Directory("me"), NodeCard)
    link.start()
    await until(lambda: "socket_timeout" in link.fault)
    await link.stop()
