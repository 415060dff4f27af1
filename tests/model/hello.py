"""What clients of TLS begin with."""

from __future__ import annotations

import ssl
from contextlib import suppress


def hello(name: str = "a.example") -> bytes:
    """What a client of OpenSSL begins with: one record."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    out = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


def records(message: bytes, size: int) -> bytes:
    """The message in records of *size* bytes."""
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)
