"""Writing to a transport, and what of it is not sent yet."""

from __future__ import annotations

import asyncio

from fastflv import limits
from fastflv.playing.loopplayer import unacked


def is_secure(transport: asyncio.BaseTransport) -> bool:
    """Whether TLS encrypts what is written."""
    return transport.get_extra_info("sslcontext") is not None


def write_all(transport: asyncio.Transport, data: bytes | bytearray | memoryview) -> None:
    """Write *data*; in pieces to TLS, which then counts them as buffered and encrypts them late."""
    if len(data) <= limits.HTTP_TLS_WRITE_BYTES or not is_secure(transport):
        transport.write(data)
        return
    view = memoryview(data)
    for at in range(0, len(view), limits.HTTP_TLS_WRITE_BYTES):
        transport.write(view[at : at + limits.HTTP_TLS_WRITE_BYTES])


def unsent_bytes(transport: asyncio.Transport, more: int) -> int:
    """Return how much the client has not taken of what is buffered, and of *more* to come; 0 when neither is.

    The kernel takes megabytes at a time: what it holds shows sooner that a slow client reads.
    """
    unsent = transport.get_write_buffer_size() + more
    return unsent + unacked(transport.get_extra_info("socket")) if unsent else 0
