"""A blocking RTMP connection that writes any message, well-formed or not. Publisher and RtmpPlayer read it, each in its way."""

from __future__ import annotations

import ssl
from typing import Any, Self

from clientsocket import connect
from patience import SILENCE

from fastflv._ext.ingest.chunkwrite import write_message
from fastflv.media.amf import amf0

COMMAND, SET_CHUNK = 20, 1


class RtmpPeer:
    """The socket, and what is written to it."""

    def __init__(
        self,
        port: int,
        *,
        timeout: float = 10,
        tls: ssl.SSLContext | None = None,
        buffer: int = 0,
        source: str = "",
    ) -> None:
        """*source*: the address to connect from; empty: the system chooses."""
        self.sock = connect(port, timeout=timeout, buffer=buffer, source=source, tls=tls)
        self.port = port
        self.chunk_size = 128

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Close without a command."""
        self.sock.close()

    def closed(self, timeout: float = 10) -> bool:
        """Whether the server closes the connection within *timeout*."""
        self.sock.settimeout(timeout * SILENCE)
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True

    def raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def message(self, kind: int, body: bytes, *, time: int = 0, stream: int = 1, channel: int = 4) -> None:
        self.raw(write_message(kind, time & 0xFFFFFFFF, stream, channel, body, self.chunk_size))

    def command(self, name: str, transaction: float, *values: Any, stream: int = 0) -> None:
        body = amf0.encode(name, float(transaction), *values)
        self.message(COMMAND, body, stream=stream, channel=3)

    def set_chunk(self, size: int) -> None:
        self.message(SET_CHUNK, size.to_bytes(4, "big"), stream=0, channel=2)
        self.chunk_size = size
