"""HTTP connections over a real loopback server: every answer in order, and nothing that hangs or piles up."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from model.loop import FakeLoop, FakeTransport

from fastflv import limits
from fastflv.delivery.http import HttpConnection
from fastflv.delivery.message import Request, Response, encode_head
from fastflv.stream.door import Door


def looped(test):
    """Run a test in a loop of its own."""

    @functools.wraps(test)
    def run(*args, **more):
        return uvloop.run(asyncio.wait_for(test(*args, **more), 20))

    return run


class Echo:
    """Answers with what it was asked; `/later` is answered when `ready` is set."""

    def __init__(self, *, cross_domain: bool = True) -> None:
        self.cross_domain = cross_domain
        self.held: list[HttpConnection] = []
        self.seen: list[Request] = []
        self.asked = asyncio.Event()

    def __call__(self, request: Request, connection: HttpConnection) -> Response | None:
        self.seen.append(request)
        self.asked.set()
        if request.path == "/fail":
            raise RuntimeError("as asked")
        if request.path == "/later":
            self.held.append(connection)
            return None
        return Response.of_json([request.method, request.path, request.query, request.body.decode()])


@asynccontextmanager
async def serving(handler, door: Door | None = None):
    """Serve HTTP on a free port; give the port and the door."""
    loop = asyncio.get_running_loop()
    door = door or Door(100)
    server = await loop.create_server(lambda: HttpConnection(loop, handler, door), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], door
    finally:
        server.close()
        await server.wait_closed()


async def ask(port: int, *pieces: bytes) -> bytes:
    """Send *pieces*, each when the one before has gone out, and read to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    try:
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


def split(data: bytes, heads: int = 0) -> list[tuple[int, dict[str, str], bytes]]:
    """Cut responses in a row into (status, headers, body); the first *heads* of them have no body."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        size = 0 if len(found) < heads else int(fields["content-length"])
        found.append((int(first.split()[1]), fields, data[:size]))
        data = data[size:]
    return found


def request(
    path: str = "/", method: str = "GET", *fields: str, version: str = "1.1", body: bytes = b""
) -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: a", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


LAST = request("/last", "GET", "Connection: close")


@looped
async def test_one_connection_serves_one_request_after_the_other():
    async with serving(Echo()) as (port, door):
        found = split(await ask(port, request("/1"), request("/2?a=b&c"), LAST))
        assert [json.loads(body) for _, _, body in found] == [
            ["GET", "/1", "", ""],
            ["GET", "/2", "a=b&c", ""],
            ["GET", "/last", "", ""],
        ]
        assert [fields["connection"] for _, fields, _ in found] == ["keep-alive", "keep-alive", "close"]
        await asyncio.sleep(0.01)
        assert (door.taken, door.total) == (0, 1)


@looped
async def test_pipelined_requests_are_answered_in_order_though_the_first_takes_its_time():
    echo = Echo()
    async with serving(echo) as (port, _):
        asking = asyncio.create_task(ask(port, request("/later") + request("/2") + request("/later") + LAST))
        await echo.asked.wait()
        assert len(echo.seen) == 1
        echo.held[0].answer(Response(body=b"first"))
        while len(echo.held) < 2:
            await asyncio.sleep(0)
        echo.held[1].answer(Response(body=b"third"))
        bodies = [body for _, _, body in split(await asking)]
        assert bodies[0] == b"first"
        assert bodies[2] == b"third"
        assert json.loads(bodies[3])[1] == "/last"


@looped
async def test_requests_that_pile_up_are_refused():
    echo = Echo()
    async with serving(echo) as (port, door):
        data = await ask(port, request("/later") + request("/x") * (limits.HTTP_PIPELINE_MAX + 1))
        assert split(data)[0][0] == 429
        await asyncio.sleep(0.01)
        assert door.taken == 0


@looped
async def test_http_1_0_closes_unless_asked_to_keep():
    async with serving(Echo()) as (port, _):
        (found,) = split(await ask(port, request("/1", version="1.0")))
        assert found[1]["connection"] == "close"
        found = split(await ask(port, request("/1", "GET", "Connection: keep-alive", version="1.0"), LAST))
        assert len(found) == 2


@looped
async def test_head_has_the_head_of_get_and_no_body():
    async with serving(Echo()) as (port, _):
        head, got = split(await ask(port, request("/x", "HEAD"), LAST), heads=1)
        assert (head[0], head[2], got[0]) == (200, b"", 200)
        assert int(head[1]["content-length"]) == len('["HEAD","/x","",""]')


@looped
async def test_a_preflight_is_answered_without_the_handler():
    echo = Echo()
    async with serving(echo) as (port, _):
        fields = ("Origin: http://b", "Access-Control-Request-Headers: x-y", "Connection: close")
        ((status, answer, _),) = split(await ask(port, request("/x", "OPTIONS", *fields)))
        assert (status, answer["access-control-allow-origin"], answer["access-control-allow-headers"]) == (
            200,
            "*",
            "x-y",
        )
        assert echo.seen == []


@looped
async def test_without_crossdomain_nothing_is_said_of_origins():
    async with serving(Echo(cross_domain=False)) as (port, _):
        found = split(await ask(port, request("/x", "GET", "Origin: http://b"), LAST))
        assert not any(name.startswith("access-control") for name in found[0][1])


@pytest.mark.parametrize(("method", "status"), [("PATCH", 405), ("TRACE", 405), ("BREW", 400)])
@looped
async def test_other_methods_are_refused(method, status):
    async with serving(Echo()) as (port, _):
        found = split(await ask(port, request("/x", method, "Connection: close")))
        assert found[0][0] == status


@pytest.mark.parametrize("path", ["/a/../b", "/..", "/%2e%2e/b", "/a%2f..%2fb", "/a%00b"])
@looped
async def test_a_path_that_leaves_the_root_is_refused(path):
    echo = Echo()
    async with serving(echo) as (port, _):
        assert split(await ask(port, request(path, "GET", "Connection: close")))[0][0] == 400
        assert echo.seen == []


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a%20b", "/a b", ""),
        ("/%C3%A9.flv", "/é.flv", ""),
        ("http://host/a?b=c", "/a", "b=c"),
        ("/a?b=c?d", "/a", "b=c?d"),
        ("/a..b", "/a..b", ""),
    ],
)
@looped
async def test_a_target_is_read_as_path_and_query(target, path, query):
    echo = Echo()
    async with serving(echo) as (port, _):
        await ask(port, request(target, "GET", "Connection: close"))
        assert (echo.seen[0].path, echo.seen[0].query) == (path, query)


@looped
async def test_a_body_is_handed_on_and_a_large_one_refused():
    async with serving(Echo()) as (port, _):
        data = await ask(port, request("/p", "POST", "Content-Length: 3", body=b"abc"), LAST)
        assert json.loads(split(data)[0][2])[3] == "abc"
        size = limits.HTTP_BODY_BYTES_MAX + 1
        data = await ask(port, request("/p", "POST", f"Content-Length: {size}", body=bytes(size)))
        assert split(data)[0][0] == 413


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
    async with serving(Echo()) as (port, door):
        assert split(await ask(port, head))[0][0] == 431
        await asyncio.sleep(0.01)
        assert door.taken == 0


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
    connection = HttpConnection(loop, Echo(), Door(1))
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
    async with serving(Echo()) as (port, door):
        assert split(await ask(port, data))[0][0] == 400
        await asyncio.sleep(0.01)
        assert door.taken == 0


@settings(max_examples=25)
@given(st.lists(st.binary(max_size=60), max_size=4))
def test_whatever_bytes_come_every_connection_is_let_go(pieces):
    async def run():
        async with serving(Echo()) as (port, door):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for piece in pieces:
                writer.write(piece)
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 5)
            writer.close()
            for _ in range(100):
                if door.taken == 0:
                    return
                await asyncio.sleep(0.01)
            raise AssertionError("a seat is still taken")

    uvloop.run(run())


@looped
async def test_a_head_that_comes_a_byte_at_a_time_is_whole_at_its_end():
    async with serving(Echo()) as (port, _):
        assert len(split(await ask(port, *(bytes([byte]) for byte in LAST)))) == 1


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHo", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"]
)
def test_a_connection_without_a_whole_request_is_closed_in_time(monkeypatch, sent):
    monkeypatch.setattr(limits, "HTTP_IDLE_SECONDS", 0.1)

    async def run():
        async with serving(Echo()) as (port, door):
            assert await ask(port, sent) == b""
            await asyncio.sleep(0.01)
            assert door.taken == 0

    uvloop.run(run())


def test_a_request_that_waits_for_its_answer_is_not_closed(monkeypatch):
    monkeypatch.setattr(limits, "HTTP_IDLE_SECONDS", 0.05)
    monkeypatch.setattr(limits, "HTTP_KEEP_SECONDS", 0.05)

    async def run():
        echo = Echo()
        async with serving(echo) as (port, _):
            asking = asyncio.create_task(ask(port, request("/later")))
            await echo.asked.wait()
            await asyncio.sleep(0.15)
            echo.held[0].answer(Response(body=b"late"))
            # Once answered, the silence counts again.
            assert split(await asking)[0][2] == b"late"

    uvloop.run(run())


@looped
async def test_an_answered_connection_may_be_silent_for_longer_but_not_within_a_request(monkeypatch):
    monkeypatch.setattr(limits, "HTTP_IDLE_SECONDS", 0.1)
    async with serving(Echo()) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(request("/again"))
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.3)
        writer.write(b"GET /half HTTP/1.1\r\n")
        began = asyncio.get_running_loop().time()
        await reader.read()
        assert asyncio.get_running_loop().time() - began < limits.HTTP_KEEP_SECONDS / 2
        writer.close()


@looped
async def test_a_handler_that_fails_is_a_500_and_the_connection_goes_on():
    async with serving(Echo()) as (port, _):
        assert [found[0] for found in split(await ask(port, request("/fail"), LAST))] == [500, 200]


@looped
async def test_who_waits_learns_that_its_client_left():
    echo = Echo()
    async with serving(echo) as (port, door):
        lost = asyncio.Event()
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("/later"))
        await echo.asked.wait()
        echo.held[0].on_lost = lost.set
        writer.close()
        await asyncio.wait_for(lost.wait(), 5)
        assert (door.taken, echo.held[0].closed) == (0, True)
        echo.held[0].answer(Response())
        assert echo.held[0].detach() is None


@looped
async def test_who_waits_learns_that_its_client_was_refused_and_answers_it_no_more(monkeypatch):
    monkeypatch.setattr(limits, "HTTP_LINGER_SECONDS", 60)
    echo = Echo()
    async with serving(echo) as (port, door):
        lost = asyncio.Event()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("/later") + request("/next"))
        await echo.asked.wait()
        echo.held[0].on_lost = lost.set
        writer.write(b"garbage\r\n\r\n")
        await asyncio.wait_for(lost.wait(), 5)
        echo.held[0].answer(Response(body=b"late"))
        assert [status for status, *_ in split(await reader.read())] == [400]
        assert len(echo.seen) == 1
        writer.close()
        while door.taken:
            await asyncio.sleep(0.01)


@looped
async def test_a_refused_client_that_goes_on_sending_is_let_go_as_soon_as_any(monkeypatch):
    monkeypatch.setattr(limits, "HTTP_LINGER_SECONDS", 0.05)
    async with serving(Echo()) as (port, door):
        size = limits.HTTP_BODY_BYTES_MAX + 1
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            request("/p", "POST", f"Content-Length: {size}", body=bytes(size)) + b"GET / HTTP/1.1\r\n"
        )
        async with asyncio.timeout(5):
            while not door.total or door.taken:
                await asyncio.sleep(0.01)
        writer.close()


@looped
async def test_a_full_door_lets_nobody_in():
    async with serving(Echo(), Door(0)) as (port, door):
        assert await ask(port, b"") == b""
        assert (door.taken, door.refused) == (0, 1)


@looped
async def test_a_detached_socket_is_the_callers_and_keeps_its_seat():
    echo = Echo()
    async with serving(echo) as (port, door):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("/later"))
        await echo.asked.wait()
        taken = socket.socket(fileno=echo.held[0].detach())
        await asyncio.sleep(0.05)
        assert (door.taken, echo.held[0].detach()) == (1, None)
        taken.send(b"hello")
        assert await reader.readexactly(5) == b"hello"
        taken.close()
        assert await reader.read() == b""
        writer.close()


@looped
async def test_answers_before_a_detach_are_not_lost():
    echo = Echo()
    async with serving(echo) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("/1") + request("/later"))
        while not echo.held:
            await asyncio.sleep(0)
        fd = echo.held[0].detach()
        try:
            assert b"/1" in await asyncio.wait_for(reader.readuntil(b'""]'), 3)
        finally:
            os.close(fd)
            writer.close()


@looped
async def test_an_answer_written_in_the_turn_of_a_detach_comes_before_what_the_socket_sends():
    class Detaching(Echo):
        def __call__(self, request, connection):
            if request.path == "/live":
                fd = connection.detach()
                os.write(fd, b"STREAM")
                os.close(fd)
                return None
            return super().__call__(request, connection)

    async with serving(Detaching()) as (port, _):
        data = await ask(port, request("/1") + request("/live"))
        assert data.startswith(b"HTTP/1.1 200 ")
        assert data.endswith(b"STREAM")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
def test_arguments_are_those_of_the_query_the_first_of_a_name(value):
    made = Request("GET", "/", f"a=1&a=2&b=&{value}", "1.1", {}, True, "")
    assert made.args["a"] == "1"
    assert made.args["b"] == ""


@pytest.mark.parametrize(
    ("host", "name"),
    [("A.com:80", "a.com"), ("a.com", "a.com"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("", "")],
)
def test_the_host_is_without_port_in_lower_case(host, name):
    assert Request("GET", "/", "", "1.1", {"host": host}, True, "").host == name


def test_a_head_is_lines():
    assert encode_head(404, {"A": "b"}) == b"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n"


# --- answers that take long ---


class Shelf:
    """Answers with one large body, the same for all."""

    cross_domain = False

    def __init__(self, size: int) -> None:
        self.body = os.urandom(size)

    def __call__(self, request: Request, connection: HttpConnection) -> Response | None:
        return Response(body=self.body, content_type="video/MP2T")


async def slow_reader(port: int, *fields: str) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
    """Ask on a socket with a small buffer; read nothing yet."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
    writer.write("\r\n".join(["GET / HTTP/1.1", "Host: a", *fields]).encode() + b"\r\n\r\n")
    return writer, reader


@pytest.mark.parametrize("fields", [(), ("Connection: close",)], ids=["kept", "closed"])
@looped
async def test_a_slow_reader_gets_all_of_a_long_answer(fields, monkeypatch):
    monkeypatch.setattr(limits, "HTTP_IDLE_SECONDS", 0.6)
    monkeypatch.setattr(limits, "HTTP_KEEP_SECONDS", 0.1)
    shelf = Shelf(8 << 20)
    async with serving(shelf) as (port, door):
        writer, reader = await slow_reader(port, *fields)
        await reader.readuntil(b"\r\n\r\n")
        body = b""
        # Much longer than the time that a connection may be idle.
        for _ in range(20):
            await asyncio.sleep(0.1)
            body += await reader.readexactly(256 << 10)
        body += await reader.readexactly(len(shelf.body) - len(body))
        assert body == shelf.body
        assert await reader.read() == b""
        writer.close()
        while door.taken:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("fields", [(), ("Connection: close",)], ids=["kept", "closed"])
@looped
async def test_who_reads_nothing_of_a_long_answer_is_let_go(fields, monkeypatch):
    monkeypatch.setattr(limits, "HTTP_IDLE_SECONDS", 0.2)
    async with serving(Shelf(32 << 20)) as (port, door):
        writer, _ = await slow_reader(port, *fields)
        while not door.taken:
            await asyncio.sleep(0.01)
        while door.taken:
            await asyncio.sleep(0.01)
        writer.close()


@looped
async def test_a_long_body_is_not_copied_for_each_answer():
    shelf = Shelf(4 << 20)
    async with serving(shelf) as (port, _):
        readers = [await slow_reader(port) for _ in range(20)]
        before = Path("/proc/self/statm").read_text().split()[1]
        for _, reader in readers:
            await reader.readuntil(b"\r\n\r\n")
        after = Path("/proc/self/statm").read_text().split()[1]
        # Twenty answers of 4 MiB wait to be read.
        assert (int(after) - int(before)) * os.sysconf("SC_PAGE_SIZE") < 40 << 20
