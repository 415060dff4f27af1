"""The body of a streamed answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastflv.protocols.http.exchange import BodyWriter
from fastflv.protocols.http.heads import LAST_CHUNK, chunk

if TYPE_CHECKING:
    from fastflv.servers.http.h1exchange import H1Exchange
    from fastflv.servers.http.h2exchange import H2Exchange


class H1BodyWriter(BodyWriter):
    """Chunks, or plain bytes to the end of the connection."""

    def __init__(self, exchange: H1Exchange, chunked: bool, idle: float | None) -> None:
        self._exchange = exchange
        self._chunked = chunked
        self._mute = exchange.request.method == "HEAD"
        self.idle = idle
        self.over = False
        "The answer is complete, or broken off."

    @property
    def buffered(self) -> int:
        return self._exchange.buffered

    @property
    def socket(self) -> Any:
        transport = self._exchange.transport
        return transport.get_extra_info("socket") if transport is not None else None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        # A chunk without bytes would be the last one.
        if not self.over and not self._mute and len(data):
            self._exchange.write(chunk(data) if self._chunked else data)

    def end(self) -> None:
        if not self.over:
            if self._chunked and not self._mute:
                self._exchange.write(LAST_CHUNK)
            self.stop()
            self._exchange.complete()

    def stop(self) -> None:
        """Take nothing more, and forget who writes: a player that refers to this writer."""
        self.over = True
        self.on_full = self.on_drain = None

    def abort(self) -> None:
        if not self.over:
            self._exchange.break_off()


class H2BodyWriter(BodyWriter):
    """Bytes of one stream of an HTTP/2 connection."""

    def __init__(self, exchange: H2Exchange) -> None:
        self._exchange = exchange
        self._mute = exchange.request.method == "HEAD"
        self._over = False

    @property
    def buffered(self) -> int:
        return self._exchange.stream.size

    @property
    def socket(self) -> Any:
        return None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._over and not self._mute:
            self._exchange.stream.write(data)

    def end(self) -> None:
        if not self._over:
            self.stop()
            self._exchange.complete()

    def stop(self) -> None:
        """Take nothing more, and forget who writes."""
        self._over = True
        self.on_full = self.on_drain = None

    def abort(self) -> None:
        if not self._over:
            self._exchange.break_off()
