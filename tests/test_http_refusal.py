"""What HTTP connections refuse: methods, paths, heads without end, other bytes, and more than there is room for."""

from __future__ import annotations

import asyncio
import json

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from model.http import LAST, Echo, ask, looped, request, serving, split
from model.loop import FakeLoop, FakeTransport, Unhurried, until

from fastflv import limits
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.filepool import FilePool
from fastflv.net.peer import Peer
from fastflv.net.quiet import QuietSockets
from fastflv.protocols.http.message import Response
from fastflv.servers.http.connection import HttpConnection


@looped
async def test_requests_that_pile_up_wait_their_turn():
    echo = Echo()
    count = 3 * limits.HTTP_PIPELINE_MAX
    async with serving(echo) as (port, connection_limit):
        asking = asyncio.ensure_future(
            ask(port, request("/later") + request("/x") * count + request("/y", "GET", "Connection: close"))
        )
        await until(lambda: echo.held)
        echo.held[0].respond(Response.of_text(200, "late"))
        answers = split(await asking)
        assert [status for status, *_ in answers] == [200] * (count + 2)
        assert answers[0][2] == b"late"
        assert [seen.path for seen in echo.seen] == ["/later", *["/x"] * count, "/y"]
        await until(lambda: not connection_limit.taken)


@pytest.mark.parametrize(("method", "status"), [("PATCH", 405), ("TRACE", 405), ("BREW", 501)])
@looped
async def test_other_methods_are_refused(method, status):
    async with serving(Echo()) as (port, _):
        found = split(await ask(port, request("/x", method, "Connection: close")))
        assert (found[0][0], found[0][1]["allow"]) == (status, "GET, HEAD, POST, PUT, DELETE, OPTIONS")


@pytest.mark.parametrize("lines", [(), ("Host:",), ("Host: a", "Host: b")], ids=["none", "empty", "two"])
@looped
async def test_a_request_without_one_host_is_refused(lines):
    async with serving(Echo()) as (port, _):
        data = "\r\n".join(("GET / HTTP/1.1", *lines)).encode() + b"\r\n\r\n"
        assert [status for status, *_ in split(await ask(port, data))] == [400]


@pytest.mark.parametrize("path", ["/a/../b", "/..", "/%2e%2e/b", "/a%2f..%2fb", "/a%00b"])
@looped
async def test_a_path_that_leaves_the_root_is_refused(path):
    echo = Echo()
    async with serving(echo) as (port, _):
        assert split(await ask(port, request(path, "GET", "Connection: close")))[0][0] == 400
        assert echo.seen == []


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * limits.HTTP_HEAD_BYTES_MAX + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 100) for i in range(200)) + b"\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * limits.HTTP_HEAD_BYTES_MAX + b"\r\n\r\n",
    ],
    ids=["long target", "many fields", "long field"],
)
@looped
async def test_an_oversized_head_is_refused(head):
    async with serving(Echo()) as (port, connection_limit):
        assert split(await ask(port, head))[0][0] == 431
        await until(lambda: not connection_limit.taken)


@looped
async def test_a_field_without_end_is_refused_before_it_takes_memory():
    async with serving(Echo()) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nX: " + b"y" * 1_000_000)
        try:
            assert b" 431 " in await asyncio.wait_for(reader.read(), 1)
        finally:
            writer.close()


CHUNKED = request("/p", "POST", "Transfer-Encoding: chunked")


class Wire(FakeTransport):
    """As over TLS."""

    def can_write_eof(self) -> bool:
        return False


@pytest.mark.parametrize(
    "begin",
    [b"GET / HTTP/1.1\r\nX: ", CHUNKED + b"0\r\nX: ", CHUNKED + b"3\r\nabc\r\n0\r\nX: ", CHUNKED + b"3;x="],
    ids=["of a head", "of a trailer", "of a trailer behind a body", "of a chunk"],
)
def test_a_field_without_end_that_comes_in_pieces_is_refused_wherever_it_stands(begin):
    loop = FakeLoop()
    peer = Peer("192.0.2.1", "192.0.2.1")
    turns, quiet = Unhurried(loop), QuietSockets(loop)
    connection = HttpConnection(loop, Echo(), ConnectionLimit(1), peer, turns, quiet, FilePool(loop).sending)
    wire = Wire(loop)
    connection.connection_made(wire)
    connection.data_received(begin)
    taken = 0
    while not wire.wire and taken < 10_000_000:
        connection.data_received(b"y" * 10_000)
        taken += 10_000
    assert wire.wire.startswith(b"HTTP/1.1 431 ")
    assert taken <= limits.HTTP_HEAD_BYTES_MAX + limits.HTTP_BODY_BYTES_MAX + 10_000
    loop.advance(limits.HTTP_LINGER_SECONDS)
    assert wire.gone == "aborted"


@looped
async def test_long_bodies_on_one_connection_are_no_long_field():
    async with serving(Echo()) as (port, _):
        size = limits.HTTP_BODY_BYTES_MAX
        plain = request("/p", "POST", f"Content-Length: {size}", body=b"a" * size)
        chunked = CHUNKED + b"%x\r\n" % size + b"a" * size + b"\r\n0\r\nX: y\r\n\r\n"
        found = split(await ask(port, *[plain, chunked] * 4, LAST))
        assert [status for status, *_ in found] == [200] * 9
        assert {len(json.loads(body)[3]) for _, _, body in found[:8]} == {size}


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00\x01", b"\x03" + bytes(1536), b"\r\n\r\nhello\r\n\r\n"]
)
@looped
async def test_what_is_not_http_is_refused_and_closed(data):
    async with serving(Echo()) as (port, connection_limit):
        assert split(await ask(port, data))[0][0] == 400
        await until(lambda: not connection_limit.taken)


@settings(max_examples=25)
@given(st.lists(st.binary(max_size=60), max_size=4))
def test_whatever_bytes_come_every_connection_is_closed(pieces):
    async def run():
        async with serving(Echo()) as (port, connection_limit):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for piece in pieces:
                writer.write(piece)
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 5)
            writer.close()
            await until(lambda: not connection_limit.taken)

    uvloop.run(run())


@looped
async def test_a_full_server_accepts_nobody():
    async with serving(Echo(), ConnectionLimit(0)) as (port, connection_limit):
        assert await ask(port, b"") == b""
        assert (connection_limit.taken, connection_limit.refused) == (0, 1)
