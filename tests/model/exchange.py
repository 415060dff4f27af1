"""Exchanges over a real loopback server: what the requests are answered is the test's."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

from model.http import listen, split

from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.networkset import NetworkSet
from fastflv.protocols.http.crossdomain import NONE
from fastflv.protocols.http.exchange import Exchange


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


async def answers(connect, *pieces: bytes, heads: int = 0):
    reader, writer = await connect()
    for piece in pieces:
        writer.write(piece)
    data = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return split(data, heads)
