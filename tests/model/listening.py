"""A listener on a real socket whose connections echo."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, suppress

from model.loop import until

from fastflv.config.endpoint import Endpoint
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.listener import Acceptance, Listener, bind
from fastflv.net.opening import Opening
from fastflv.net.peer import Peer
from fastflv.net.quiet import QuietSockets
from fastflv.net.turns import Turns

HOST = "127.0.0.1"
ANY_PORT = Endpoint(HOST, 0)


class Echo(asyncio.Protocol):
    """Sends back what it gets, and keeps it."""

    def __init__(self, site: Site, peer: Peer) -> None:
        self.peer = peer
        self.site = site
        self.data = b""

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.site.connections.append(self)

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.transport.write(data)

    def connection_lost(self, exc) -> None:
        self.site.limit.release()


class Site:
    """A listener and what it accepted."""

    def __init__(self, sock: socket.socket, *, places: int = 100, **acceptance) -> None:
        self.connections: list[Echo] = []
        self.limit = ConnectionLimit(places)
        self.listener = Listener(
            loop := asyncio.get_running_loop(),
            sock,
            self.limit,
            "HTTP",
            Acceptance(lambda peer: Echo(self, peer), **acceptance),
            Opening(loop, Turns(loop), QuietSockets(loop)),
        )

    async def connect(self, first: bytes = b"", tls: ssl.SSLContext | None = None):
        """Connect, send *first* as it is, then speak TLS where there is a context."""
        loop = asyncio.get_running_loop()
        address = self.listener.address
        sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        sock.setblocking(False)
        if isinstance(address, tuple):
            address = (HOST, address[1])
        await loop.sock_connect(sock, address)
        if first:
            await loop.sock_sendall(sock, first)
        if tls is None:
            return await asyncio.open_connection(sock=sock)
        return await asyncio.open_connection(sock=sock, ssl=tls, server_hostname="a")

    async def greet(self, first: bytes = b"", tls: ssl.SSLContext | None = None) -> Echo:
        """Connect, have a word echoed, and return the connection as the server has it."""
        reader, writer = await self.connect(first, tls)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        return self.connections[-1]


@asynccontextmanager
async def listening(endpoint: Endpoint = ANY_PORT, **more):
    site = Site(bind(endpoint), **more)
    try:
        yield site
    finally:
        site.listener.close()
        for each in site.connections:
            each.transport.abort()
        await until(lambda: site.limit.taken == 0)


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the server closes without a word."""
    with suppress(ConnectionResetError):
        return await asyncio.wait_for(reader.read(), 10) == b""
    return True
