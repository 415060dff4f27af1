"""The header of the PROXY protocol, both versions."""

from __future__ import annotations

from fastflv.errors import ProxyHeaderError
from fastflv.net.ip import canonical
from fastflv.net.proxyprotocol import HEADER_BYTES_MAX, Header, read_header

STARTS = (b"", b"PROXY TCP4 ", b"PROXY TCP6 ", b"\r\n\r\n\0\r\nQUIT\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0")
"Beginnings that a fuzzer would not guess."

SEEDS = (
    b"PROXY TCP4 192.0.2.1 198.51.100.9 40000 1935\r\n",
    b"PROXY UNKNOWN\r\n",
    b"\0\x0c\xc0\0\2\1\xc6\x33\x64\x09\x9c\x40\7\x8f",
)
WORDS = (b"\r\n", b" 1", b"::1", b"UNKNOWN", b"\x21\x21\0\x24", b"\x20\0\0\0", b"192.0.2.1 ")


def read(data: bytes) -> Header | str | None:
    try:
        return read_header(data)
    except ProxyHeaderError:
        return "refused"


def check_header(data: bytes) -> None:
    """Hold that the answer is sound, and that fewer bytes never give a different header."""
    answer = read(data)
    assert answer is not None or len(data) < HEADER_BYTES_MAX
    if isinstance(answer, Header):
        assert 0 < answer.size <= min(len(data), HEADER_BYTES_MAX)
        assert canonical(answer.source_ip) == answer.source_ip
        assert canonical(answer.destination_ip) == answer.destination_ip
        assert read(data[: answer.size]) == answer
        assert read(data[: answer.size - 1]) is None
        assert 0 <= answer.source_port <= 65535
    elif answer is None:
        assert all(read(data[:cut]) is None for cut in range(min(len(data), 32)))


def check(data: bytes) -> None:
    for start in STARTS:
        check_header(start + data)
