"""Bodies of requests over a real loopback server, plain and with TLS: in pieces, paused, late, cut, refused."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

import pytest
from model.exchange import answers, serving
from model.http import LAST, looped, request, split
from model.loop import until

from fastflv import limits
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response


class Counter:
    """Counts a body, and pauses its exchange after each *step* bytes until `go`."""

    def __init__(self, exchange: Exchange, step: int = 1 << 60) -> None:
        self.exchange, self.step = exchange, step
        self.size = self.since = 0
        self.ends: list[bool] = []
        self.pieces: list[int] = []

    def data(self, chunk: bytes) -> None:
        assert chunk and not self.ends
        self.size += len(chunk)
        self.since += len(chunk)
        self.pieces.append(len(chunk))
        if self.since >= self.step:
            self.exchange.pause()

    def go(self) -> None:
        self.since = 0
        self.exchange.resume()

    def ended(self, whole: bool) -> None:
        self.ends.append(whole)
        if whole:
            self.exchange.respond(Response.of_text(200, str(self.size)))


@looped
async def test_a_body_of_many_megabytes_is_delivered_in_small_pieces_and_the_connection_goes_on(tls):
    sinks = []

    def answer(exchange):
        sinks.append(Counter(exchange))
        exchange.read(sinks[-1])

    async with serving(answer, tls) as (_site, connect):
        reader, writer = await connect()
        size = 20_000_000
        writer.write(request("/1", "POST", f"Content-Length: {size}") + bytes(size))
        writer.write(request("/2", "POST", "Transfer-Encoding: chunked"))
        for _ in range(100):
            writer.write(b"fde8\r\n" + bytes(65_000) + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n" + LAST)
        found = split(await asyncio.wait_for(reader.read(), 15))
        assert [body for *_, body in found] == [b"20000000", b"6500000", b"0"]
        assert max(map(max, (sink.pieces for sink in sinks[:2]))) <= limits.HTTP_READ_BYTES
        writer.close()


def taken(writer: asyncio.StreamWriter) -> int:
    """How many bytes of this end the kernel of the other one has taken: read there, or in its receive buffer."""
    info = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
    (acknowledged,) = struct.unpack_from("=Q", info, 120)
    return acknowledged


@looped
async def test_a_paused_body_is_not_read_from_the_socket(tls):
    sinks = []

    def answer(exchange):
        sinks.append(Counter(exchange, 1_000_000))
        exchange.read(sinks[-1], idle=None)

    async with serving(answer, tls) as (_site, connect):
        _, writer = await connect()
        size = 50_000_000
        writer.write(request("/", "POST", f"Content-Length: {size}") + bytes(size))
        await until(lambda: sinks and sinks[0].since >= 1_000_000)
        (sink,) = sinks
        # Sockets fill up; then nothing more leaves the client.
        before = -1
        while (size_taken := taken(writer)) != before or not size_taken:
            before = size_taken
            await asyncio.sleep(0.3)
        assert size_taken < size // 2
        assert sink.size < 1_000_000 + 2 * limits.HTTP_READ_BYTES
        while not sink.ends:
            sink.go()
            await until(lambda: sink.ends or sink.since >= 1_000_000)
        assert (sink.size, sink.ends) == (size, [True])
        writer.close()


@looped
async def test_a_client_is_asked_for_its_body_only_when_it_is_wanted():
    async with serving(lambda exchange: None) as (site, connect):
        reader, writer = await connect()
        writer.write(request("/", "POST", "Expect: 100-continue", "Content-Length: 3"))
        await site.asked.wait()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        sink = Counter(site.exchanges[0])
        site.exchanges[0].read(sink)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc" + LAST)
        await reader.readuntil(b"\r\n\r\n3")
        assert sink.ends == [True]
        writer.close()


@looped
async def test_a_refused_body_is_never_asked_for_and_the_connection_ends():
    async with serving(lambda exchange: exchange.respond(Response.of_text(403))) as (_site, connect):
        reader, writer = await connect()
        writer.write(request("/", "POST", "Expect: 100-continue", "Content-Length: 3"))
        ((status, fields, _),) = split(await asyncio.wait_for(reader.read(), 5))
        assert (status, fields["connection"]) == (403, "close")
        writer.close()


@pytest.mark.parametrize(
    ("size", "kept"),
    [(limits.HTTP_BODY_BYTES_MAX, True), (limits.HTTP_BODY_BYTES_MAX + 1, False), (10_000_000, False)],
)
@looped
async def test_an_unwanted_body_is_read_away_when_it_is_short(size, kept):
    async with serving(lambda exchange: exchange.respond(Response.of_text(403))) as (_site, connect):
        reader, writer = await connect()
        writer.write(request("/1", "POST", f"Content-Length: {size}") + bytes(size) + LAST)
        found = split(await asyncio.wait_for(reader.read(), 5))
        assert [fields["connection"] for _, fields, _ in found] == (
            ["keep-alive", "close"] if kept else ["close"]
        )
        writer.close()


@looped
async def test_a_body_that_is_cut_is_not_whole_and_the_exchange_is_lost():
    sinks, lost = [], []

    def answer(exchange):
        exchange.on_lost = lambda: lost.append(exchange)
        sinks.append(Counter(exchange))
        exchange.read(sinks[-1])

    async with serving(answer) as (site, connect):
        for number, cut in enumerate(("close", "garbage"), 1):
            _, writer = await connect()
            writer.write(request("/", "POST", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n")
            await until(lambda: len(sinks) == number and sinks[-1].size == 3)  # noqa: B023
            if cut == "garbage":
                writer.write(b"nonsense\r\n")
            else:
                writer.close()
            await until(lambda: sinks[-1].ends)
            assert (sinks[-1].ends, lost[-1].closed) == ([False], True)
            writer.close()
        assert len(lost) == 2
        await until(lambda: site.limit.taken == 0)


@looped
async def test_a_body_that_does_not_go_on_is_given_up():
    sinks = []

    def answer(exchange):
        sinks.append(Counter(exchange))
        exchange.read(sinks[-1], idle=0.1)

    async with serving(answer) as (_site, connect):
        reader, writer = await connect()
        writer.write(request("/", "POST", "Content-Length: 9") + b"abc")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        assert sinks[0].ends == [False]
        writer.close()


@looped
async def test_a_body_that_is_read_late_is_delivered_and_an_empty_one_ends():
    async with serving(lambda exchange: None) as (site, connect):
        asking = asyncio.create_task(
            answers(connect, request("/1", "POST", "Content-Length: 3", body=b"abc") + LAST)
        )
        for size in (3, 0):
            await site.asked.wait()
            site.asked.clear()
            sink = Counter(site.exchanges[-1])
            site.exchanges[-1].read(sink)
            assert not sink.ends and not sink.size
            await until(lambda sink=sink: sink.ends)
            assert sink.size == size
        assert [body for *_, body in await asking] == [b"3", b"0"]


@looped
async def test_a_sink_that_fails_is_a_500_or_breaks_the_answer_off(caplog):
    class Failing(Counter):
        def data(self, chunk):
            raise RuntimeError("as asked")

    def answer(exchange):
        if exchange.request.path == "/stream":
            exchange.respond_stream(Response()).write(b"abc")
        if exchange.request.length:
            exchange.read(Failing(exchange))
        else:
            exchange.respond(Response.of_text(200))

    async with serving(answer) as (_site, connect):
        body = request("/", "POST", "Content-Length: 3", body=b"abc")
        assert [status for status, *_ in await answers(connect, body + LAST)] == [500, 200]
        reader, writer = await connect()
        writer.write(request("/stream", "POST", "Content-Length: 3", body=b"abc"))
        data = b""
        with suppress(ConnectionError):
            data = await asyncio.wait_for(reader.read(), 5)
        assert b" 500 " not in data and not data.endswith(b"0\r\n\r\n")
        writer.close()
    assert len(caplog.records) == 2
