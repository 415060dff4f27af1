"""One stream of an HTTP/2 connection as a transport, for what reads a connection after an upgrade: WebSockets.

Spec: RFC 8441, 5.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from fastflv.protocols.http.exchange import UpgradedProtocol
from fastflv.protocols.http.h2 import Piece
from fastflv.protocols.http.h2budget import ErrorCode
from fastflv.servers.http.h2stream import H2Stream

if TYPE_CHECKING:
    from fastflv.servers.http.h2connection import H2Connection


class H2Transport(asyncio.Transport):
    """Writes DATA frames and hands over those of the client. `H2Exchange` calls what is below "of the exchange"."""

    def __init__(
        self, connection: H2Connection, stream: H2Stream, protocol: UpgradedProtocol, held: deque[Piece]
    ) -> None:
        """*held*: what the client sent before; *protocol* is called once this call has returned."""
        super().__init__()
        self._connection = connection
        self._stream = stream
        self._protocol: UpgradedProtocol | None = protocol
        "None once it was told of the end."
        self._held = held
        self._paused = False
        self._pumping = False
        self._closing = False
        self._whole = False
        "The client sends nothing more."
        stream.own(self)
        # A protocol that pings, and a player, have time limits of their own.
        stream.patience = None
        stream.live = True

    # --- asyncio ---

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As the connection has it; no socket, since streams share one."""
        transport = self._connection.transport
        return default if name == "socket" or transport is None else transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._stream.end()

    def abort(self) -> None:
        if self._protocol is not None:
            self._closing = True
            self._stream.reset(ErrorCode.CANCEL)

    def write(self, data: Any) -> None:
        if not self._closing:
            self._stream.write(data)

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return self._stream.size

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Pause the protocol when *high* bytes wait, as TLS does."""
        if high is not None:
            self._stream.limit(max(0, high - 1))

    def is_reading(self) -> bool:
        return not self._paused

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self._pump_soon()

    # --- of the stream ---

    def full(self) -> None:
        if self._protocol is not None:
            self._protocol.pause_writing()

    def drained(self) -> None:
        if self._protocol is not None:
            self._protocol.resume_writing()

    def stalled(self) -> None:
        self.abort()

    # --- of the exchange ---

    def begin(self) -> None:
        """Deliver what is held."""
        assert self._protocol is not None
        self._protocol.connection_made(self)
        self._pump_soon()

    def deliver(self, piece: Piece) -> None:
        """Take bytes of the client."""
        self._held.append(piece)
        if not self._pumping:
            self._pump()

    def deliver_end(self) -> None:
        """The client sends nothing more: as a socket whose peer has closed."""
        self._whole = True
        if not self._pumping:
            self._pump()

    def over(self) -> None:
        """The stream is gone."""
        self._closing = True
        for piece in self._held:
            self._connection.taken(piece)
        self._held.clear()
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            # A protocol that closes its transport is told of it later.
            self._connection.loop.call_soon(protocol.connection_lost, None)

    def _pump_soon(self) -> None:
        if not self._pumping and (self._held or self._whole):
            self._pumping = True
            self._connection.loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        while self._held and not self._paused and self._protocol is not None:
            piece = self._held.popleft()
            self._connection.taken(piece)
            if not self._closing and piece.data:
                self._protocol.data_received(piece.data)
        if self._whole and not self._held:
            self.close()
