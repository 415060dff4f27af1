"""What a connection begins with before its protocol: a PROXY header, and the first message of a TLS handshake.

Thousands may say nothing, or half of it, and end at one moment. So each waits without a transport, in the poll of quiet
sockets, and its time is up in a turn of the loop.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable
from functools import partial
from typing import TypeVar

from fastflv import limits
from fastflv.errors import TlsHandshakeError
from fastflv.net.clienthello import wanted
from fastflv.net.deadline import after
from fastflv.net.networkset import NetworkSet
from fastflv.net.peer import Peer
from fastflv.net.proxyprotocol import HEADER_BYTES_MAX, read_header
from fastflv.net.quiet import QuietSockets
from fastflv.net.rests import Rests
from fastflv.net.turns import Turns

Result = TypeVar("Result")


class Opening:
    """Waits for the first bytes of connections, and bounds the handshakes that have begun."""

    __slots__ = ("_loop", "_quiet", "_shaking", "_turns", "rests")

    def __init__(self, loop: asyncio.AbstractEventLoop, turns: Turns, quiet: QuietSockets) -> None:
        """*turns*, *quiet*: of the loop."""
        self._loop = loop
        self._turns = turns
        self._quiet = quiet
        self.rests = Rests(loop, turns)
        "They look at who waits to be accepted."
        self._shaking: dict[asyncio.Timeout, None] = {}
        "Handshakes that go on, oldest first."

    @property
    def shaking(self) -> bool:
        """A handshake goes on."""
        return bool(self._shaking)

    async def begin(
        self, sock: socket.socket, peer: Peer, *, trusted: NetworkSet | None, secure: bool
    ) -> Peer:
        """Return the peer of *sock*, once its protocol or its TLS handshake may begin.

        *trusted*: proxies whose header is believed; None: there is no header. *secure*: a handshake follows.
        Raises ProxyHeaderError, TlsHandshakeError, and OSError for a peer that left or took HANDSHAKE_SECONDS.
        """
        sock.setblocking(False)
        async with asyncio.timeout(None) as timeout:
            deadline = after(
                self._turns, limits.HANDSHAKE_SECONDS, lambda: timeout.reschedule(self._loop.time())
            )
            try:
                if trusted is not None:
                    peer = await self._read_proxy_header(sock, peer, trusted)
                if secure:
                    await self._await_hello(sock)
                    await self._take_turn()
            finally:
                deadline.cancel()
        return peer

    async def shake(self, handshake: Awaitable[Result]) -> Result:
        """Do a TLS handshake. Beyond HANDSHAKES_MAX the oldest gives way: raises TlsHandshakeError, and whatever *handshake* does."""
        if len(self._shaking) >= limits.HANDSHAKES_MAX:
            oldest = next(iter(self._shaking))
            del self._shaking[oldest]
            oldest.reschedule(self._loop.time())
        place = asyncio.timeout(None)
        try:
            async with place:
                self._shaking[place] = None
                return await handshake
        except TimeoutError:
            if place.expired():
                raise TlsHandshakeError("its handshake gave way to newer ones") from None
            raise
        finally:
            self._shaking.pop(place, None)

    async def _read_proxy_header(self, sock: socket.socket, peer: Peer, trusted: NetworkSet) -> Peer:
        """Take the header off the socket, and not one byte more: what follows belongs to TLS or the protocol."""
        taken = b""
        while True:
            await self._readable(sock)
            data = sock.recv(HEADER_BYTES_MAX - len(taken), socket.MSG_PEEK)
            if not data:
                raise ConnectionResetError
            header = read_header(taken + data)
            if header is not None:
                sock.recv(header.size - len(taken))
                return peer.proxied(header, trusted)
            # A prefix of a header holds nothing else. Bytes that were only peeked at would hide the peer's end.
            taken += sock.recv(len(data))

    async def _await_hello(self, sock: socket.socket) -> None:
        """Wait until a ClientHello is whole, and leave it in the socket."""
        size = wanted(b"")
        # The kernel heeds no mark on local sockets, whose peers are no strangers.
        marked = sock.family != socket.AF_UNIX
        while True:
            if marked:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
            await self._readable(sock)
            data = sock.recv(size, socket.MSG_PEEK)
            if not data or (marked and len(data) < size):
                # Below the mark a socket is readable at its end alone.
                raise ConnectionResetError
            size = wanted(data)
            if size <= len(data) or not marked:
                break
        if marked:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)

    async def _take_turn(self) -> None:
        """Wait for a turn that has time for the arithmetic of a handshake."""
        ready = self._loop.create_future()

        def begin() -> None:
            self._turns.charge(limits.TLS_TURN_SECONDS)
            _set(ready)

        self._turns.queue(begin)
        await ready

    async def _readable(self, sock: socket.socket) -> None:
        ready = self._loop.create_future()
        self._quiet.watch(sock.fileno(), partial(_set, ready))
        try:
            await ready
        finally:
            self._quiet.drop(sock.fileno())


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
