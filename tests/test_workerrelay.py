"""Requests that one worker passes on to another one: what is asked, what comes back, and what a lost worker means."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from embedded import looped
from model.exchange import serving
from model.http import LAST, request, split
from model.ports import free_ports

from fastflv import limits
from fastflv.cluster.address import WORKER
from fastflv.control.workerrelay import VIEWER, WorkerRelay, ask, request_head, viewer_of
from fastflv.net.peer import Peer
from fastflv.protocols.http.message import Request
from fuzzing.standins import Answers

VIEWER_PEER = Peer("192.0.2.7", "10.0.0.1", 4000, 8080, secure=True, id="abcdefgh")


def exchange(method: str = "GET", path: str = "/live/ä b.ts", query: str = "hls_ctx=1&a=%20") -> Answers:
    headers = {"host": "a.test", "user-agent": "x", "connection": "close", "range": "bytes=0-"}
    return Answers(Request(method, path, query, "1.1", headers, keep_alive=True, peer=VIEWER_PEER))


Answering = Callable[[bytes], bytes]


@asynccontextmanager
async def worker(answering: Answering, asked: list[bytes]) -> AsyncIterator[int]:
    """A worker: each connection answers each request by *answering*, and closes where that is empty; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while answer := answering(head := await reader.readuntil(b"\r\n\r\n")):
                asked.append(head)
                writer.write(answer)
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def passed(relay: WorkerRelay, port: int, one: Answers) -> Answers:
    relay.send(one, port)
    while not one.answered or one.on_lost is not None:
        await asyncio.sleep(0.005)
    return one


WHOLE = b"HTTP/1.1 206 Partial Content\r\nContent-Type: video/MP2T\r\nContent-Length: 3\r\nETag: x\r\nServer: f\r\n\r\nabc"


@looped
async def test_a_request_is_passed_on_as_it_came_with_its_viewer_and_its_answer_comes_back():
    asked: list[bytes] = []
    relay = WorkerRelay(asyncio.get_running_loop(), "5ec4e7")
    async with worker(lambda head: WHOLE, asked) as port:
        for _ in range(2):
            response = (await passed(relay, port, exchange())).response
            assert response is not None
            assert (response.status, response.body, response.content_type) == (206, b"abc", "video/MP2T")
            assert response.headers == {"etag": "x"}
        relay.close()
    lines = asked[0].decode().split("\r\n")
    assert lines[0] == "GET /live/%C3%A4%20b.ts?hls_ctx=1&a=%20 HTTP/1.1"
    fields = dict(line.split(": ", 1) for line in lines[1:] if line)
    assert fields["host"] == "a.test" and fields["range"] == "bytes=0-" and "connection" not in fields
    viewer = viewer_of(fields[VIEWER], Peer("", ""))
    assert viewer.relayed and not viewer.own
    assert (viewer.ip, viewer.port, viewer.secure, viewer.id) == ("192.0.2.7", 4000, True, "abcdefgh")


@looped
async def test_a_request_in_an_odd_form_is_passed_on_in_the_right_one():
    asked: list[bytes] = []
    relay = WorkerRelay(asyncio.get_running_loop(), "5ec4e7")
    async with worker(lambda head: WHOLE, asked) as port:
        one = exchange(query="a=x y&b=\xe4?%20")
        del one.request.headers["host"]
        assert (await passed(relay, port, one)).response is not None
        relay.close()
    lines = asked[0].decode().split("\r\n")
    assert lines[0].split(" ")[1].endswith("?a=x%20y&b=%E4?%20")
    assert [line.split(":")[0] for line in lines[1:3]] == [WORKER, VIEWER] and "host: -" in lines


@asynccontextmanager
async def relaying(answer: bytes) -> AsyncIterator[Callable[..., Awaitable[bytes]]]:
    """A worker that passes each request on to one that says *answer*; yields what asks it, and returns all that comes."""
    relay = WorkerRelay(asyncio.get_running_loop(), "s")
    async with (
        worker(lambda head: answer, []) as port,
        serving(lambda exchange: relay.send(exchange, port)) as (_, connect),
    ):

        async def ask(*requests: bytes) -> bytes:
            reader, writer = await connect()
            for each in requests:
                writer.write(each)
            data: bytes = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            return data

        yield ask
        relay.close()


@looped
async def test_an_answer_that_has_no_body_leaves_the_connection_of_the_viewer_to_its_next_request():
    async with relaying(b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n') as ask:
        data = await ask(request("/live/a.ts"), LAST)
    one, other, rest = data.split(b"\r\n\r\n")
    assert one.startswith(b"HTTP/1.1 304 ") and b'etag: "x"' in one and b"chunked" not in one
    assert other.startswith(b"HTTP/1.1 304 ") and rest == b""


@looped
async def test_a_request_without_a_viewer_is_of_the_worker_that_asks():
    own = Peer("127.0.0.1", "127.0.0.1", own=True)
    assert viewer_of("", own) is own


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@looped
async def test_the_length_of_a_large_answer_and_of_one_to_head_is_that_of_the_worker(version):
    size = limits.WORKER_RELAY_BYTES + 10
    head = b"HTTP/1.1 200 OK\r\nContent-Type: video/MP2T\r\nContent-Length: %d\r\n\r\n" % size
    async with relaying(head + bytes(size)) as ask:
        data = await ask(request("/live/a.ts", "GET", "Connection: close", version=version))
    ((status, fields, body),) = split(data)
    assert (status, len(body), fields["content-length"]) == (200, size, str(size))
    assert "transfer-encoding" not in fields
    async with relaying(head) as ask:
        data = await ask(request("/live/a.ts", "HEAD"), request("/live/a.ts", "HEAD", "Connection: close"))
    assert [fields["content-length"] for _, fields, _ in split(data, 2)] == [str(size)] * 2


@looped
async def test_a_worker_that_falls_silent_within_a_body_ends_the_answer(monkeypatch):
    monkeypatch.setattr(limits, "WORKER_BODY_SECONDS", 0.05)
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nabc"
    async with relaying(begun % (1 << 30)) as ask:
        assert (await ask(request("/live/a.ts"))).endswith(b"\r\n\r\nabc")
    async with relaying(begun % 10) as ask:
        assert (await ask(request("/live/a.ts", "GET", "Connection: close"))).startswith(b"HTTP/1.1 503 ")


@looped
async def test_a_request_that_cannot_be_passed_on_is_a_500():
    relay = WorkerRelay(asyncio.get_running_loop(), "s")
    async with worker(lambda head: WHOLE, []) as port:
        one = exchange()
        one.request.headers["x"] = "\N{EURO SIGN}"
        response = (await passed(relay, port, one)).response
        assert response is not None and response.status == 500


@looped
async def test_a_head_request_is_answered_without_waiting_for_a_body():
    asked: list[bytes] = []
    relay = WorkerRelay(asyncio.get_running_loop(), "s")
    async with worker(lambda head: WHOLE.removesuffix(b"abc"), asked) as port:
        response = (await passed(relay, port, exchange("HEAD"))).response
        assert response is not None and (response.status, response.size) == (206, 3)
        relay.close()


@looped
async def test_a_connection_that_was_closed_meanwhile_is_made_anew():
    asked: list[bytes] = []
    answers = iter([WHOLE, b"", WHOLE])
    relay = WorkerRelay(asyncio.get_running_loop(), "s")
    async with worker(lambda head: next(answers), asked) as port:
        for _ in range(2):
            response = (await passed(relay, port, exchange())).response
            assert response is not None and response.status == 206
        relay.close()


@pytest.mark.parametrize("answer", [b"", b"no HTTP\r\n\r\n"])
def test_a_worker_that_does_not_answer_is_a_503_that_says_when_to_try_again(answer):
    async def run() -> None:
        relay = WorkerRelay(asyncio.get_running_loop(), "s")
        async with worker(lambda head: answer, []) as port:
            response = (await passed(relay, port, exchange())).response
            assert (
                response is not None and response.status == 503 and response.headers == {"Retry-After": "1"}
            )

    asyncio.run(asyncio.wait_for(run(), 20))


@looped
async def test_a_worker_that_is_gone_or_silent_is_a_503(monkeypatch):
    monkeypatch.setattr(limits, "WORKER_RELAY_SECONDS", 0.05)
    relay = WorkerRelay(asyncio.get_running_loop(), "s")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (silent.getsockname()[1], *free_ports(1)):
            response = (await passed(relay, port, exchange())).response
            assert response is not None and response.status == 503


@looped
async def test_a_viewer_who_leaves_ends_the_request():
    relay = WorkerRelay(asyncio.get_running_loop(), "s")
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        one.lose()
        await reader.read()
        gone.set()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        one = exchange()
        relay.send(one, server.sockets[0].getsockname()[1])
        await gone.wait()
        assert not one.answered


@looped
async def test_an_answer_of_a_worker_that_dies_within_it_is_none():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"code": 0')
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        with pytest.raises(ConnectionError):
            await ask(server.sockets[0].getsockname()[1], request_head("GET", "/api/v1/summaries", "s", {}))
