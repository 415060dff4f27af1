"""The length of a ClientHello, told from its beginning."""

from __future__ import annotations

from fastflv import limits
from fastflv.errors import TlsHandshakeError
from fastflv.net.clienthello import BODY_BYTES_MAX, RECORD_BYTES, wanted

SEEDS = (
    b"\x16\x03\x01\0\x08\x01\0\0\x04\x03\x03\0\0",
    b"\x16\x03\x01\0\x02\x01\0\x16\x03\x01\0\x03\0\x01\0",
    b"\x16\x03\x01\x40\0\x01\0\x40\0" + bytes(100),
    b"\x16\x03\x01\0\x01\x01" + b"\x16\x03\x01\0\x01\0" * 20,
    b"GET / HTTP/1.1\r\n",
)
WORDS = (b"\x16\x03\x01\0\x01", b"\x16\x03\x01\0\x05\x01", b"\x01\0\x02\0", b"\x40\x01", b"\xff\xff")
SIZE_MAX = limits.HELLO_RECORDS_MAX * (RECORD_BYTES + BODY_BYTES_MAX)


def check(data: bytes) -> None:
    """Hold that what is wanted is bounded, grows with what is there, and is asked for a few times."""
    size = 0
    for _ in range(2 * limits.HELLO_RECORDS_MAX + 1):
        try:
            further = wanted(data[:size])
        except TlsHandshakeError:
            return
        assert further <= SIZE_MAX
        if further <= size or further > len(data):
            return
        size = further
    raise AssertionError("asked too often")
