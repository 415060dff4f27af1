"""Open connections of the event loop: a server that stops closes them, whatever their peers do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Protocol, runtime_checkable
from weakref import WeakKeyDictionary, WeakSet

from fastflv import limits


@runtime_checkable
class Answering(Protocol):
    """A connection that answers requests."""

    def close_if_idle(self) -> bool:
        """Close the connection if no request is in progress; return whether none is."""


class OpenConnections:
    """Connections from accept to close. A player that a sender thread has taken over is not among them."""

    __slots__ = ("_opened", "_plain")

    def __init__(self) -> None:
        self._plain: WeakSet[asyncio.Transport] = WeakSet()
        "Accepted by the event loop itself."
        self._opened: WeakKeyDictionary[socket.socket, asyncio.Transport] = WeakKeyDictionary()
        "Accepted by a listener. uvloop's transports over TLS take no weak reference, and keep their socket until they close."

    def add(self, transport: asyncio.Transport, sock: socket.socket | None = None) -> None:
        """Note a connection; *sock*: the one that *transport* was made for, where the loop did not accept it."""
        if sock is None:
            self._plain.add(transport)
        else:
            self._opened[sock] = transport

    def protocols(self) -> list[asyncio.BaseProtocol]:
        """What reads the connections that are open."""
        return [transport.get_protocol() for transport in self._open()]

    def busy(self) -> bool:
        """Close connections that wait for a request; return whether others have an answer in progress."""
        found = False
        for protocol in self.protocols():
            if isinstance(protocol, Answering):
                found = not protocol.close_if_idle() or found
        return found

    async def close(self) -> None:
        """Announce the end to all peers, and close each connection when its peer has, or after STOP_CLOSE_SECONDS.

        A connection that is closed with input unread is reset, and the peer loses what it has not taken.
        """
        told: set[asyncio.Transport] = set()
        for transport in self._open():
            if not transport.can_write_eof():
                transport.close()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limits.STOP_CLOSE_SECONDS
        while (waiting := self._open()) and loop.time() < deadline:
            for transport in waiting:
                if transport not in told and not transport.get_write_buffer_size():
                    told.add(transport)
                    _end_output(transport)
            await asyncio.sleep(limits.STOP_STEP_SECONDS)
        for transport in (*self._plain, *self._opened.values()):
            transport.abort()

    def _open(self) -> list[asyncio.Transport]:
        return [each for each in (*self._plain, *self._opened.values()) if not each.is_closing()]


def _end_output(transport: asyncio.Transport) -> None:
    """Send the end of the stream.

    After `write_eof` a late answer, of a file or a hook, would be an error in its own caller. After this it is one
    of the connection alone.
    """
    with (
        contextlib.suppress(OSError),
        socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as twin,
    ):
        twin.shutdown(socket.SHUT_WR)
