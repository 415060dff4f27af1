"""Connections that another process has handed over."""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable

from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.peer import Peer


class HandedSocket(ABC):
    """A plain connection that was handed over. Made before anything shows; `connect` makes it live.

    Whatever fails while it does so ends this connection alone: the other process has forgotten it.
    """

    def __init__(self, limit: ConnectionLimit, peer: Peer, fd: int) -> None:
        """*fd*: of the socket; it is owned from here on."""
        self._limit = limit
        self._address = peer.socket_ip
        self._transport: asyncio.Transport | None = None
        self.sock = socket.socket(fileno=fd)
        self.label = f"connection from {peer.ip}"
        "How lines of the log begin."

    @property
    def publishes(self) -> bool:
        """Media comes from it."""
        return False

    async def connect(self) -> None:
        """Take a place of the limit, and go on. Raises whatever fails: by then the socket is closed, and the place is free."""
        self._limit.take(self._limit.taken, self._address)
        try:
            await self._go_on()
        except BaseException:
            self._give_up()
            raise

    @abstractmethod
    async def _go_on(self) -> None:
        """Go on where the other process was."""

    async def _read(
        self, protocol: asyncio.BaseProtocol, resume: Callable[[asyncio.Transport], None] | None = None
    ) -> None:
        """Have *protocol* read the socket. *resume* is called with the transport, before the first read."""
        loop = asyncio.get_running_loop()
        beginning = Beginning(protocol, resume)
        self._transport, _ = await loop.connect_accepted_socket(lambda: beginning, self.sock)
        self._limit.open.add(self._transport, self.sock)
        if beginning.failure is not None:
            raise beginning.failure

    def _give_up(self) -> None:
        """Close the socket of a connection that cannot go on."""
        if self._transport is not None:
            # The protocol is told, and gives the place back.
            self._transport.abort()
        elif self.sock.fileno() >= 0:
            self.sock.close()
            self._limit.release(self._address)


class Beginning(asyncio.Protocol):
    """What a transport has for a moment: it puts the protocol in its place, which goes on before anything is read.

    A failure is kept: the event loop would only write it to the log.
    """

    def __init__(
        self, protocol: asyncio.BaseProtocol, resume: Callable[[asyncio.Transport], None] | None
    ) -> None:
        self._protocol, self._resume = protocol, resume
        self.failure: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        plain: asyncio.Transport = transport  # type: ignore[assignment]
        try:
            plain.set_protocol(self._protocol)
            self._protocol.connection_made(plain)
            if self._resume is not None:
                self._resume(plain)
        except Exception as error:
            self.failure = error
