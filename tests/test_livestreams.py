"""The list of live streams that pages show: whom it shows what, and that it asks, counts and claims nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import jwt
import pytest
from embedded import Film, conf, looped
from hookserver import HookServer
from model.tokens import SECRET

import fastflv
from fastflv import limits
from fastflv.access.request import AccessRequest
from fastflv.access.verdict import ALLOW, Verdict

VHOST = "vhost {name} {{ http_remux {{ enabled on; }} publish {{ grace 0; }} {more} }}\n"


@pytest.fixture
def hooks() -> Iterator[HookServer]:
    with HookServer() as server:
        yield server


async def ask(port: int, query: str = "") -> dict[str, Any]:
    """Return what the pages are told."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /players/streams.json{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
    )
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 200 "), head
    return json.loads(body)  # type: ignore[no-any-return]


async def listed(server: fastflv.Server, query: str = "") -> list[str]:
    """Return the streams that a page with *query* shows."""
    return [each["stream"] for each in (await ask(server.ports("HTTP")[0], query))["streams"]]


@looped
async def test_a_stream_that_a_hook_guards_is_on_no_list_and_the_hook_is_not_asked(hooks):
    guard = f"http_hooks {{ enabled on; on_play {hooks.url('play')}; on_stop {hooks.url('stop')}; }}"
    told = f"http_hooks {{ enabled on; on_publish {hooks.url('publish')}; on_stop {hooks.url('stop')}; }}"
    text = conf() + VHOST.format(name="a.guarded", more=guard) + VHOST.format(name="b.told", more=told)
    async with fastflv.Server(text) as server:
        for vhost in ("", "a.guarded", "b.told"):
            async with server.publish("live/x", vhost=vhost) as publisher:
                await (await Film(publisher).begin()).frames(3)
                query = f"?vhost={vhost}" if vhost else ""
                assert await listed(server, query) == ([] if vhost == "a.guarded" else ["x"])
        assert [client for client in server.clients if not client.publish] == []
    assert set(hooks.counts) == {"/publish"}


@looped
async def test_a_stream_that_a_callback_guards_is_on_no_list_and_the_callback_is_not_asked():
    asked: list[AccessRequest] = []
    server = fastflv.Server(conf())
    async with server, server.publish("live/x") as publisher:
        await (await Film(publisher).begin()).frames(3)
        assert await listed(server) == ["x"]

        @server.on_play
        async def judge(request: AccessRequest) -> Verdict:
            asked.append(request)
            return ALLOW

        assert await listed(server) == []
    assert asked == []


@looped
async def test_a_token_shows_what_it_is_for_until_it_ends_and_has_as_many_uses_left_as_before(tmp_path):
    def token(**claims: object) -> str:
        claims = {"exp": time.time() + 60, "path": "live/x", "action": "play", **claims}
        return f"?token={jwt.encode(claims, SECRET, algorithm='HS256')}"

    (tmp_path / "key").write_text(SECRET)
    async with (
        fastflv.Server(conf(f"auth {{ enabled on; key {tmp_path}/key; apply play; }}")) as server,
        server.publish("live/x") as one,
        server.publish("live/y") as two,
    ):
        for publisher in (one, two):
            await (await Film(publisher).begin()).frames(3)
        assert await listed(server) == []
        assert await listed(server, token(exp=time.time() - 3600)) == []
        once = token(max=1, jti="once")
        for _ in range(3):
            assert await listed(server, once) == ["x"]
        (row,) = (await ask(server.ports("HTTP")[0], once))["streams"]
        path = next(each["path"] for each in row["outputs"] if each["container"] == "flv")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.ports("HTTP")[0])
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert (await reader.readline()).split()[1] == b"200"
        writer.close()


@looped
async def test_a_list_takes_no_place_and_no_token_of_a_limit():
    async with (
        fastflv.Server(conf("limits { req ip 1r/m; conn stream 2; }")) as server,
        server.publish("live/x") as publisher,
    ):
        await (await Film(publisher).begin()).frames(3)
        for _ in range(5):
            assert await listed(server) == ["x"]


@looped
async def test_a_list_takes_as_many_streams_and_as_much_time_as_it_may(monkeypatch):
    names = ("a", "b", "c")
    async with (
        fastflv.Server(conf("security { enabled on; allow publish all; allow play 127.0.0.1; }")) as server,
        AsyncExitStack() as publishers,
    ):
        for name in names:
            publisher = await publishers.enter_async_context(server.publish(f"live/{name}"))
            await (await Film(publisher).begin()).frames(3)
        assert await listed(server) == ["a", "b", "c"]
        monkeypatch.setattr(limits, "PAGE_STREAMS_MAX", 2)
        assert await listed(server) == ["a", "b"]
        monkeypatch.setattr(limits, "PAGE_QUESTIONS_SECONDS", 0.0)
        assert await listed(server) == ["a"]
        server.reload(conf("security { enabled on; allow publish all; deny play all; }"))
        assert await listed(server) == []
