"""HTTP over a real loopback server: handlers, a client that sends pieces, and a reader of answers in a row."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from contextlib import asynccontextmanager

import uvloop

from fastflv import limits
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.filepool import FilePool
from fastflv.net.listener import Acceptance, Listener
from fastflv.net.networkset import NetworkSet
from fastflv.net.opening import Opening
from fastflv.net.peer import Peer
from fastflv.net.quiet import QuietSockets
from fastflv.net.turns import Turns
from fastflv.protocols.http.crossdomain import MANAGE, CrossDomain
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.http.connection import HttpConnection


def looped(test):
    """Run a test in a loop of its own."""

    @functools.wraps(test)
    def run(*args, **more):
        return uvloop.run(asyncio.wait_for(test(*args, **more), 20))

    return run


class Echo:
    """Answers with what it was asked; `/later` is answered when `ready` is set."""

    trusted = NetworkSet(())

    def __init__(self, *, cross_domain: CrossDomain = MANAGE) -> None:
        self._cross_domain = cross_domain
        self.held: list[Exchange] = []
        self.seen: list[Request] = []
        self.asked = asyncio.Event()

    def cross_domain(self, request: Request) -> CrossDomain:
        return self._cross_domain

    def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        self.seen.append(request)
        self.asked.set()
        if request.path == "/fail":
            raise RuntimeError("as asked")
        if request.path == "/later":
            self.held.append(exchange)
            return

        if (request.length or 0) > limits.HTTP_BODY_BYTES_MAX:
            exchange.respond(Response.of_text(413))
        else:
            exchange.read(Body(exchange), idle=limits.HTTP_IDLE_SECONDS)


class Body:
    """Gathers the body of a request, and answers with all that was asked."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.data_so_far = b""

    def data(self, chunk: bytes) -> None:
        self.data_so_far += chunk

    def ended(self, whole: bool) -> None:
        if whole:
            request = self.exchange.request
            asked = [request.method, request.path, request.query, self.data_so_far.decode()]
            self.exchange.respond(Response.of_json(asked))


@asynccontextmanager
async def serving(handler, connection_limit: ConnectionLimit | None = None):
    """Serve HTTP on a free port; give the port and the connection_limit."""
    connection_limit = connection_limit or ConnectionLimit(100)
    listener = listen(handler, connection_limit)
    try:
        yield listener.port, connection_limit
    finally:
        listener.close()


def listen(handler, connection_limit: ConnectionLimit, context: ssl.SSLContext | None = None) -> Listener:
    """Accept HTTP connections on a free port of 127.0.0.1; *context*: over TLS."""
    loop = asyncio.get_running_loop()
    turns, quiet = Turns(loop), QuietSockets(loop)
    pool = FilePool(loop)
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)

    def connect(peer: Peer) -> HttpConnection:
        return HttpConnection(loop, handler, connection_limit, peer, turns, quiet, pool.sending)

    return Listener(
        loop, sock, connection_limit, "HTTP", Acceptance(connect, context), Opening(loop, turns, quiet)
    )


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
