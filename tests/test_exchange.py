"""Exchanges over a real loopback server, plain and with TLS: bodies in, files and streams out, sockets taken."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from contextlib import asynccontextmanager, suppress

import pytest
from model.flv import dechunk
from model.http import LAST, listen, looped, request, split
from tlsfiles import make_pair

from fastflv import limits
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.networkset import NetworkSet
from fastflv.protocols.http.crossdomain import NONE, PLAY
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response


class Site:
    """Calls `answer` for each request, and remembers the exchanges."""

    trusted = NetworkSet(())

    def __init__(self, answer) -> None:
        self.answer = answer
        self.exchanges: list[Exchange] = []
        self.asked = asyncio.Event()

    def cross_domain(self, request):
        return NONE

    def __call__(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        self.asked.set()
        self.answer(exchange)


@pytest.fixture(scope="module")
def contexts(tmp_path_factory):
    """TLS contexts of a server and of its clients."""
    pair = make_pair(tmp_path_factory.mktemp("pair"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair.cert, pair.key)
    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    return server, client


@pytest.fixture(params=["plain", "tls"])
def tls(request, contexts):
    return contexts if request.param == "tls" else (None, None)


@asynccontextmanager
async def serving(answer, tls=(None, None)):
    """Serve; give the site and a function that connects, with the least receive buffer where asked."""
    loop = asyncio.get_running_loop()
    limit = ConnectionLimit(100)
    site = Site(answer)
    site.limit = limit
    listener = listen(site, limit, tls[0])

    async def connect(small: bool = False):
        sock = socket.socket()
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await loop.sock_connect(sock, listener.address)
        more = {"ssl": tls[1], "server_hostname": "a"} if tls[1] else {}
        return await asyncio.open_connection(sock=sock, limit=4096 if small else 1 << 16, **more)

    try:
        yield site, connect
    finally:
        listener.close()


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def answers(connect, *pieces: bytes, heads: int = 0):
    reader, writer = await connect()
    for piece in pieces:
        writer.write(piece)
    data = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return split(data, heads)


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


# --- bodies ---


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


@looped
async def test_a_paused_body_is_not_read_from_the_socket(tls):
    sinks = []

    def answer(exchange):
        sinks.append(Counter(exchange, 1_000_000))
        exchange.read(sinks[-1], idle=None)

    async with serving(answer, tls) as (site, connect):
        _, writer = await connect()
        size = 50_000_000
        writer.write(request("/", "POST", f"Content-Length: {size}") + bytes(size))
        await until(lambda: sinks and sinks[0].since >= 1_000_000)
        (sink,) = sinks
        # Sockets fill up; then nothing more leaves the client.
        await asyncio.sleep(0.5)
        if not tls[0]:
            assert writer.transport.get_write_buffer_size() > 20_000_000
        assert sink.size < 1_000_000 + 2 * limits.HTTP_READ_BYTES
        (connection,) = {exchange._connection for exchange in site.exchanges}
        assert len(connection._unread) <= 1 << 20
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
async def test_a_whole_body_has_a_bound_in_bytes_however_it_comes():
    bodies = []

    def answer(exchange):
        def then(body):
            bodies.append(body)
            exchange.respond(Response(body=body))

        exchange.read_whole(10, then)

    async with serving(answer) as (_site, connect):
        data = request("/1", "POST", "Content-Length: 10") + b"0123456789"
        data += (
            request("/2", "POST", "Transfer-Encoding: chunked") + b"5\r\nabcde\r\n0\r\n\r\n" + request("/3")
        )
        over = request("/4", "POST", "Transfer-Encoding: chunked") + b"b\r\n0123456789a\r\n0\r\n\r\n"
        found = await answers(connect, data + over)
        assert [status for status, *_ in found] == [200, 200, 200, 413]
        assert bodies == [b"0123456789", b"abcde", b""]


@looped
async def test_a_body_that_is_read_late_is_delivered_and_an_empty_one_ends():
    async with serving(lambda exchange: None) as (site, connect):
        asking = asyncio.create_task(
            answers(connect, request("/1", "POST", "Content-Length: 3", body=b"abc") + LAST)
        )
        for size in (3, 0):
            await site.asked.wait()
            site.asked.clear()
            await asyncio.sleep(0.02)
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


# --- files ---

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


@looped
async def test_a_file_follows_answers_that_wait_in_the_transport(film):
    big = os.urandom(8 << 20)

    def answer(exchange):
        if exchange.request.path == "/big":
            exchange.respond(Response(body=big))
        else:
            exchange.respond_file(Response(), str(film), missing=MISSING)

    async with serving(answer) as (_site, connect):
        reader, writer = await connect(small=True)
        writer.write(request("/big") + request("/film") + request("/big") + LAST)
        await asyncio.sleep(0.1)
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
    await until(lambda: descriptors() <= before + 1)


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
        assert site.exchanges[0].upgrade(Reverse(), b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\ncba"), 5)
        writer.write(b"de")
        assert await reader.readexactly(2) == b"ed"
        assert site.exchanges[0].closed
        writer.close()


@looped
async def test_an_upgrade_that_is_not_done_leaves_the_connection_to_http():
    async with serving(lambda exchange: exchange.respond(Response.of_text(200))) as (site, connect):
        data = request("/", "GET", "Connection: Upgrade", "Upgrade: websocket") + LAST
        assert [status for status, *_ in await answers(connect, data)] == [200, 200]
        assert site.exchanges[0].upgrade(None, b"") is False
