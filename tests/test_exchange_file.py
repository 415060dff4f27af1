"""Files as answers of a real loopback server, plain and with TLS: whole, in parts, missing, shortened, slowly read."""

from __future__ import annotations

import asyncio
import os
import ssl

import pytest
from model.exchange import answers, serving
from model.http import LAST, looped, request, split
from model.loop import until

from fastflv import limits
from fastflv.protocols.http.crossdomain import PLAY
from fastflv.protocols.http.message import Response

MISSING = Response.of_text(404, "gone")


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.ts"
    path.write_bytes(os.urandom(3_000_000))
    return path


@looped
async def test_a_file_is_sent_whole_and_in_parts_and_the_connection_goes_on(tls, film):
    parts = {
        "/all": (0, None),
        "/tail": (2_999_990, None),
        "/part": (1000, 70_000),
        "/none": (5, 0),
        "/last": (0, 1),
    }

    def answer(exchange):
        head = Response(206, content_type="video/MP2T", headers={"X-A": "b"})
        exchange.respond_file(head, str(film), *parts[exchange.request.path], missing=MISSING)

    body = film.read_bytes()
    async with serving(answer, tls) as (_site, connect):
        for pieces in (
            [b"".join(map(request, list(parts)[:4])) + LAST],
            [*map(request, list(parts)[:4]), LAST],
        ):
            found = await answers(connect, *pieces)
            assert [part for *_, part in found] == [body, body[-10:], body[1000:71_000], b"", body[:1]]
            assert {(status, fields["x-a"]) for status, fields, _ in found} == {(206, "b")}


@looped
async def test_head_of_a_file_is_its_head(tls, film):
    def answer(exchange):
        exchange.respond_file(Response(), str(film), missing=MISSING)

    async with serving(answer, tls) as (_site, connect):
        head, last = await answers(connect, request("/", "HEAD") + LAST, heads=1)
        assert head[1]["content-length"] == last[1]["content-length"] == "3000000"
        assert len(last[2]) == 3_000_000


@pytest.mark.parametrize("offset", [0, 2_999_999, 3_000_001])
@looped
async def test_a_file_that_does_not_have_the_bytes_is_missing(tls, film, offset):
    def answer(exchange):
        path = str(film) if offset else str(film.parent)
        exchange.respond_file(Response(), path if offset != 0 else f"{path}/none", offset, 2, missing=MISSING)

    async with serving(answer, tls) as (_site, connect):
        found = await answers(connect, request("/") + LAST)
        assert [(status, body) for status, _, body in found] == [(404, b"gone")] * 2


@pytest.mark.parametrize("kind", ["link", "pipe"])
@looped
async def test_a_link_and_a_pipe_are_no_files(tls, film, kind, tmp_path):
    path = tmp_path / "other"
    if kind == "link":
        path.symlink_to(film)
    else:
        os.mkfifo(path)
    async with serving(lambda each: each.respond_file(Response(), str(path), missing=MISSING), tls) as (
        _site,
        connect,
    ):
        found = await answers(connect, request("/") + LAST)
        assert [(status, body) for status, _, body in found] == [(404, b"gone")] * 2


@looped
async def test_a_file_follows_answers_that_wait_in_the_transport(film):
    big = os.urandom(8 << 20)

    def answer(exchange):
        if exchange.request.path == "/big":
            exchange.respond(Response(body=big))
        else:
            exchange.respond_file(Response(), str(film), missing=MISSING)

    async with serving(answer) as (site, connect):
        reader, writer = await connect(small=True)
        writer.write(request("/big") + request("/film") + request("/big") + LAST)
        await until(lambda: site.exchanges)
        found = split(await asyncio.wait_for(reader.read(), 20))
        assert [body for *_, body in found] == [big, film.read_bytes(), big, film.read_bytes()]
        writer.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@looped
async def test_a_client_that_reads_a_file_slowly_gets_it_and_one_that_does_not_is_dropped(
    tls, tmp_path, monkeypatch
):
    monkeypatch.setattr(limits, "HTTP_IDLE_SECONDS", 0.4)
    path = tmp_path / "long"
    with open(path, "wb") as file:
        file.truncate(32 << 20)
    lost = []

    def answer(exchange):
        exchange.on_lost = lambda: lost.append(exchange)
        exchange.respond_file(Response(), str(path), missing=MISSING)

    before = descriptors()
    async with serving(answer, tls) as (site, connect):
        reader, writer = await connect(small=True)
        writer.write(request("/", "GET", "Connection: close"))
        await reader.readuntil(b"\r\n\r\n")
        size = 0
        for _ in range(12):
            await asyncio.sleep(0.1)
            size += len(await reader.readexactly(512 << 10))
        size += len(await reader.read())
        assert size == 32 << 20
        assert not lost
        writer.close()
        reader, writer = await connect(small=True)
        writer.write(request("/"))
        await until(lambda: lost)
        writer.close()
        await until(lambda: site.limit.taken == 0)
    # The loop keeps one, the poll of those that have not begun is one, and those of its rests are two.
    await until(lambda: descriptors() <= before + 4)


@looped
async def test_a_client_that_leaves_within_a_file_leaves_no_descriptor(tls, tmp_path):
    path = tmp_path / "long"
    with open(path, "wb") as file:
        file.truncate(64 << 20)

    def answer(exchange):
        exchange.respond_file(Response(), str(path), missing=MISSING)

    async with serving(answer, tls) as (site, connect):
        await answers(connect, request("/", "HEAD", "Connection: close"), heads=1)
        before = descriptors()
        for _ in range(10):
            reader, writer = await connect(small=True)
            writer.write(request("/"))
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
        await until(lambda: site.limit.taken == 0)
        await until(lambda: descriptors() <= before)


@looped
async def test_a_file_that_becomes_shorter_breaks_the_answer_off(tls, tmp_path):
    path = tmp_path / "long"
    with open(path, "wb") as file:
        file.truncate(64 << 20)

    def answer(exchange):
        exchange.respond_file(Response(), str(path), missing=MISSING)

    async with serving(answer, tls) as (_site, connect):
        reader, writer = await connect(small=True)
        writer.write(request("/"))
        await reader.readuntil(b"\r\n\r\n")
        os.truncate(path, 1000)
        size = 0
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError, ssl.SSLError)):
            while True:
                data = await asyncio.wait_for(reader.read(1 << 16), 5)
                size += len(data)
                if not data:
                    raise asyncio.IncompleteReadError(b"", None)
        assert size < 64 << 20
        writer.close()


@looped
async def test_a_client_that_resets_within_a_file_is_lost(tmp_path):
    path = tmp_path / "long"
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    lost = []

    def answer(exchange):
        exchange.on_lost = lambda: lost.append(exchange.closed)
        exchange.respond_file(Response(), str(path), missing=MISSING)

    async with serving(answer) as (site, connect):
        for _ in range(5):
            reader, writer = await connect(small=True)
            writer.write(request("/"))
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
        await until(lambda: lost == [True] * 5)
        assert site.limit.taken == 0


@looped
async def test_fields_for_other_sites_are_not_left_in_a_response_that_is_used_again(film):
    def answer(exchange):
        exchange.cross_domain = PLAY
        exchange.respond_file(Response(), str(film) + "none", missing=MISSING)

    async with serving(answer) as (_site, connect):
        (found,) = await answers(connect, request("/", "GET", "Origin: http://b", "Connection: close"))
        assert found[1]["access-control-allow-origin"] == "*"
    assert not MISSING.headers


@looped
async def test_an_answer_that_is_sent_again_and_again_has_the_head_that_each_request_needs(tls):
    body = b"x" * 5000
    plain = Response(body=body, headers={"X-A": "b"}, kept={})

    def answer(exchange):
        exchange.cross_domain = PLAY
        exchange.respond(plain)

    async with serving(answer, tls) as (_site, connect):
        for _ in range(2):
            found = await answers(
                connect,
                request("/", "HEAD")
                + request("/")
                + request("/", "GET", "Origin: http://b")
                + request("/")
                + request("/", "GET", "Connection: close"),
                heads=1,
            )
            assert [status for status, _, _ in found] == [200] * 5
            assert [part for *_, part in found] == [b"", *[body] * 4]
            fields = [fields for _, fields, _ in found]
            assert [each["connection"] for each in fields] == [*["keep-alive"] * 4, "close"]
            assert ["access-control-allow-origin" in each for each in fields] == [
                False,
                False,
                True,
                False,
                False,
            ]
            assert {(each["x-a"], each["vary"], each["content-length"]) for each in fields} == {
                ("b", "Origin", "5000")
            }
    assert plain.headers == {"X-A": "b"}
