"""How HTTP connections end: idle ones, clients that leave or read slowly, and sockets that are handed over."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest
import uvloop
from model.http import LAST, Echo, ask, looped, request, serving, split
from model.loop import until

from fastflv import limits
from fastflv.net.networkset import NetworkSet
from fastflv.protocols.http.crossdomain import NONE
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHo", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"]
)
def test_a_connection_without_a_whole_request_is_closed_in_time(monkeypatch, sent):
    monkeypatch.setattr(limits, "HTTP_IDLE_SECONDS", 0.1)

    async def run():
        async with serving(Echo()) as (port, connection_limit):
            assert await ask(port, sent) == b""
            await until(lambda: not connection_limit.taken)

    uvloop.run(run())


def test_a_request_that_waits_for_its_answer_is_not_closed(monkeypatch):
    monkeypatch.setattr(limits, "HTTP_IDLE_SECONDS", 0.05)
    monkeypatch.setattr(limits, "HTTP_KEEP_SECONDS", 0.05)

    async def run():
        echo = Echo()
        async with serving(echo) as (port, _):
            asking = asyncio.create_task(ask(port, request("/later")))
            await echo.asked.wait()
            for _ in range(2):
                # One that asks for nothing is closed meanwhile.
                assert await ask(port) == b""
            echo.held[0].respond(Response(body=b"late"))
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
            for _ in range(2):
                # One that asks for nothing is closed meanwhile.
                assert await ask(port) == b""
        writer.write(b"GET /half HTTP/1.1\r\n")
        began = asyncio.get_running_loop().time()
        await reader.read()
        assert asyncio.get_running_loop().time() - began < limits.HTTP_KEEP_SECONDS / 2
        writer.close()


@looped
async def test_who_waits_learns_that_its_client_left():
    echo = Echo()
    async with serving(echo) as (port, connection_limit):
        lost = asyncio.Event()
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("/later"))
        await echo.asked.wait()
        echo.held[0].on_lost = lost.set
        writer.close()
        await asyncio.wait_for(lost.wait(), 5)
        assert (connection_limit.taken, echo.held[0].closed) == (0, True)
        echo.held[0].respond(Response())
        assert echo.held[0].take_socket(Response()) is None


@looped
async def test_who_waits_learns_that_its_client_was_refused_and_answers_it_no_more(monkeypatch):
    monkeypatch.setattr(limits, "HTTP_LINGER_SECONDS", 60)
    echo = Echo()
    async with serving(echo) as (port, connection_limit):
        lost = asyncio.Event()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("/later") + request("/next"))
        await echo.asked.wait()
        echo.held[0].on_lost = lost.set
        writer.write(b"garbage\r\n\r\n")
        await asyncio.wait_for(lost.wait(), 5)
        echo.held[0].respond(Response(body=b"late"))
        assert [status for status, *_ in split(await reader.read())] == [400]
        assert len(echo.seen) == 1
        writer.close()
        await until(lambda: not connection_limit.taken)


@looped
async def test_a_refused_client_that_goes_on_sending_is_disconnected_as_soon_as_any(monkeypatch):
    monkeypatch.setattr(limits, "HTTP_LINGER_SECONDS", 0.05)
    async with serving(Echo()) as (port, connection_limit):
        size = limits.HTTP_BODY_BYTES_MAX + 1
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            request("/p", "POST", f"Content-Length: {size}", body=bytes(size)) + b"GET / HTTP/1.1\r\n"
        )
        await until(lambda: connection_limit.total and not connection_limit.taken)
        writer.close()


@looped
async def test_a_detached_socket_is_the_callers_and_keeps_its_place():
    echo = Echo()
    async with serving(echo) as (port, connection_limit):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("/later"))
        await echo.asked.wait()
        taken = socket.socket(fileno=echo.held[0].take_socket(Response()).fd)
        assert split(await ask(port, LAST))
        await until(lambda: connection_limit.taken == 1)
        assert echo.held[0].take_socket(Response()) is None
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
        await until(lambda: echo.held)
        fd = echo.held[0].take_socket(Response()).fd
        try:
            assert b"/1" in await asyncio.wait_for(reader.readuntil(b'""]'), 3)
        finally:
            os.close(fd)
            writer.close()


@looped
async def test_an_answer_written_in_the_turn_of_a_detach_comes_before_what_the_socket_sends():
    class Detaching(Echo):
        def __call__(self, exchange):
            if exchange.request.path == "/live":
                fd = exchange.take_socket(Response()).fd
                os.write(fd, b"STREAM")
                os.close(fd)
            else:
                super().__call__(exchange)

    async with serving(Detaching()) as (port, _):
        data = await ask(port, request("/1") + request("/live"))
        assert data.startswith(b"HTTP/1.1 200 ")
        assert data.endswith(b"STREAM")


# --- answers that take long ---


class Shelf:
    """Answers with one large body, the same for all."""

    trusted = NetworkSet(())

    def __init__(self, size: int) -> None:
        self.body = os.urandom(size)

    def cross_domain(self, request):
        return NONE

    def __call__(self, exchange: Exchange) -> None:
        exchange.respond(Response(body=self.body, content_type="video/MP2T"))


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
    async with serving(shelf) as (port, connection_limit):
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
        await until(lambda: not connection_limit.taken)


@pytest.mark.parametrize("fields", [(), ("Connection: close",)], ids=["kept", "closed"])
@looped
async def test_who_reads_nothing_of_a_long_answer_is_disconnected(fields, monkeypatch):
    monkeypatch.setattr(limits, "HTTP_IDLE_SECONDS", 0.2)
    async with serving(Shelf(32 << 20)) as (port, connection_limit):
        writer, _ = await slow_reader(port, *fields)
        await until(lambda: connection_limit.taken)
        await until(lambda: not connection_limit.taken)
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
