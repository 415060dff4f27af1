"""Plain TCP connections, accepted by the event loop itself at two thirds of the price of an accept in Python."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable

from fastflv import limits

log = logging.getLogger(__name__)

Greet = Callable[[asyncio.Transport], asyncio.BaseProtocol | None]
"Takes a new connection; returns its protocol, or None to close it."


class PlainServer(asyncio.Protocol):
    """Accepts on a listening socket, and is the first protocol of each connection until `greet` has chosen one.

    Without a free descriptor libuv accepts and closes new connections by itself; `watch_descriptors` tells of that.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, greet: Greet) -> None:
        """*sock*: bound; it stays the caller's, who may go on accepting after `close`."""
        self._loop = loop
        self._greet = greet
        self._server: asyncio.Server | None = None
        self._starting = loop.create_task(self._start(sock))

    def close(self) -> None:
        """Accept no more; connections that were accepted stay."""
        self._starting.cancel()
        if self._server is not None:
            self._server.close()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        protocol = self._greet(transport)
        if protocol is None:
            transport.abort()
            return
        transport.set_protocol(protocol)
        protocol.connection_made(transport)

    async def _start(self, sock: socket.socket) -> None:
        self._server = await self._loop.create_server(
            lambda: self, sock=sock.dup(), backlog=limits.LISTEN_BACKLOG
        )


async def watch_descriptors() -> None:
    """Log it once when no descriptor is free any more, and again after there were some. Never ends."""
    told = False
    while True:
        await asyncio.sleep(limits.DESCRIPTOR_CHECK_SECONDS)
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
            told = False
        except OSError as error:
            if not told:
                log.error(
                    "new connections are closed at once: %s; raise the limit of open files (ulimit -n)",
                    (error.strerror or str(error)).lower(),
                )
            told = True
