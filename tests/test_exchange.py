"""Exchanges over a real loopback server, plain and with TLS: streams out, sockets taken, handlers that fail."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from model.exchange import answers, serving
from model.flv import dechunk
from model.http import LAST, looped, request, split
from model.loop import until

from fastflv import limits
from fastflv.protocols.http.message import Response

# --- streams ---


@looped
async def test_a_stream_is_chunks_for_http_1_1_and_ends_with_the_connection_for_http_1_0(tls):
    def answer(exchange):
        writer = exchange.respond_stream(Response(content_type="a/b"))
        for piece in (b"one", b"", memoryview(b"two"), bytearray(b"three")):
            writer.write(piece)
        writer.end()
        writer.write(b"late")

    async with serving(answer, tls) as (_site, connect):
        reader, writer = await connect()
        writer.write(request("/1") + request("/2", "HEAD") + LAST)
        data = await asyncio.wait_for(reader.read(), 5)
        assert data.count(b"Transfer-Encoding: chunked") == 2
        assert data.count(b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n") == 1
        body, ended = dechunk(data.partition(b"\r\n\r\n")[2].partition(b"HTTP/1.1")[0])
        assert (body, ended) == (b"onetwothree", True)
        # The last one is not kept alive: its end is that of the connection.
        assert data.endswith(b"onetwothree")
        writer.close()
        reader, writer = await connect()
        writer.write(request("/1", version="1.0"))
        head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
        assert (b"chunked" in head, body) == (False, b"onetwothree")
        writer.close()


@looped
async def test_a_writer_is_told_when_its_client_reads_slowly_and_when_it_goes_on(tls):
    calls = []
    made = []

    def answer(exchange):
        made.append(exchange.respond_stream(Response(), idle=None))
        made[0].on_full = lambda: calls.append("full")
        made[0].on_drain = lambda: calls.append("drain")

    async with serving(answer, tls) as (_site, connect):
        reader, writer = await connect(small=True)
        writer.write(request("/", "GET", "Connection: close"))
        await until(lambda: made)
        size = 0
        while not calls:
            made[0].write(bytes(100_000))
            size += 100_000
            await asyncio.sleep(0)
        assert made[0].buffered >= limits.HTTP_STREAM_BYTES
        reading = asyncio.create_task(reader.read())
        await until(lambda: calls[-1] == "drain")
        made[0].end()
        _head, _, body = (await asyncio.wait_for(reading, 10)).partition(b"\r\n\r\n")
        assert len(body) == size
        assert calls == ["full", "drain"]
        writer.close()


@looped
async def test_a_large_body_reaches_a_slow_client_whole_and_in_order(tls):
    large = b"".join(number.to_bytes(4, "big") for number in range(3_000_000))

    async with serving(lambda exchange: exchange.respond(Response(body=large)), tls) as (_site, connect):
        reader, writer = await connect(small=True)
        writer.write(request("/1") + request("/2") + request("/3", "GET", "Connection: close"))
        data = bytearray()
        while piece := await asyncio.wait_for(reader.read(1 << 20), 60):
            data += piece
            await asyncio.sleep(0)
        assert [body == large for *_, body in split(bytes(data))] == [True] * 3
        writer.close()


@looped
async def test_a_client_that_reads_nothing_of_a_stream_is_dropped(tls):
    lost = []

    def answer(exchange):
        exchange.on_lost = lambda: lost.append(1)
        exchange.respond_stream(Response(), idle=0.2).write(bytes(64 << 20))

    async with serving(answer, tls) as (site, connect):
        _, writer = await connect(small=True)
        writer.write(request("/"))
        await until(lambda: lost)
        await until(lambda: site.limit.taken == 0)
        writer.close()


@looped
async def test_a_stream_that_is_aborted_is_seen_to_be_incomplete(tls):
    lost = []

    def answer(exchange):
        exchange.on_lost = lambda: lost.append(1)
        stream = exchange.respond_stream(Response())
        stream.write(b"abc")
        asyncio.get_running_loop().call_later(0.05, stream.abort)

    async with serving(answer, tls) as (site, connect):
        reader, writer = await connect()
        writer.write(request("/"))
        data = b""
        try:
            while piece := await asyncio.wait_for(reader.read(1000), 5):
                data += piece
        except ConnectionError:
            pass
        assert not data.endswith(b"0\r\n\r\n")
        await until(lambda: site.limit.taken == 0)
        assert not lost
        writer.close()


@looped
async def test_requests_and_garbage_behind_a_stream_wait_for_its_end():
    streams = []

    def answer(exchange):
        if exchange.request.path == "/stream":
            streams.append(exchange.respond_stream(Response()))
        else:
            exchange.respond(Response.of_text(200))

    async with serving(answer) as (_site, connect):
        reader, writer = await connect()
        writer.write(request("/stream") + request("/x") * (limits.HTTP_PIPELINE_MAX + 5) + b"garbage\r\n\r\n")
        await until(lambda: streams)
        await asyncio.sleep(0.05)
        streams[0].write(b"abc")
        streams[0].end()
        data = await asyncio.wait_for(reader.read(), 5)
        body, *rest = data.partition(b"0\r\n\r\n")
        assert body.endswith(b"3\r\nabc\r\n")
        assert [status for status, *_ in split(rest[1])] == [200] * (limits.HTTP_PIPELINE_MAX + 5) + [400]
        writer.close()


# --- sockets and what may go wrong ---


@looped
async def test_a_socket_behind_tls_or_with_an_unread_body_is_not_given_away(contexts):
    def answer(exchange):
        assert exchange.take_socket(Response()) is None
        assert not exchange.answered and not exchange.closed
        exchange.respond(Response.of_text(200, exchange.scheme))

    async with serving(answer, contexts) as (_site, connect):
        assert [body for *_, body in await answers(connect, LAST)] == [b"https"]
    async with serving(answer) as (_site, connect):
        data = request("/", "POST", "Content-Length: 3", "Connection: close") + b"abc"
        assert [body for *_, body in await answers(connect, data)] == [b"http"]


@looped
async def test_a_second_answer_is_ignored_and_a_handler_that_fails_within_one_breaks_it_off(caplog):
    def answer(exchange):
        if exchange.request.path == "/fail":
            exchange.respond_stream(Response()).write(b"abc")
            raise RuntimeError("as asked")
        exchange.respond(Response.of_text(200, "first"))
        exchange.respond(Response.of_text(200, "second"))
        assert exchange.respond_stream(Response()) is None
        assert exchange.take_socket(Response()) is None

    async with serving(answer) as (_site, connect):
        assert [body for *_, body in await answers(connect, request("/1") + LAST)] == [b"first", b"first"]
        reader, writer = await connect()
        writer.write(request("/fail"))
        data = b""
        with suppress(ConnectionError):
            data = await asyncio.wait_for(reader.read(), 5)
        assert b"500" not in data and not data.endswith(b"0\r\n\r\n")
        writer.close()


@looped
async def test_an_upgrade_hands_over_what_came_behind_the_request(tls):
    class Reverse(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            self.transport.write(data[::-1])

    async with serving(lambda exchange: None, tls) as (site, connect):
        reader, writer = await connect()
        fields = ("Connection: Upgrade", "Upgrade: websocket")
        writer.write(request("/", "GET", *fields) + b"abc")
        await site.asked.wait()
        assert site.exchanges[0].upgrade(Reverse(), {"X-A": "b"})
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\ncba"), 5)
        assert (
            answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")
            and b"X-A: b" in answer
        )
        writer.write(b"de")
        assert await reader.readexactly(2) == b"ed"
        assert site.exchanges[0].closed
        writer.close()


@looped
async def test_an_upgrade_that_is_not_done_leaves_the_connection_to_http():
    async with serving(lambda exchange: exchange.respond(Response.of_text(200))) as (site, connect):
        data = request("/", "GET", "Connection: Upgrade", "Upgrade: websocket") + LAST
        assert [status for status, *_ in await answers(connect, data)] == [200, 200]
        assert site.exchanges[0].upgrade(None, {}) is False
