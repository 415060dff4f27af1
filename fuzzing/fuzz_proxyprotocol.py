"""Fuzz `read_header` of the PROXY protocol: `pip install atheris; PYTHONPATH=. python fuzzing/fuzz_proxyprotocol.py`.

Arguments are those of libFuzzer, as `-max_total_time=60 CORPUS_FOLDER`.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext

try:
    import atheris
except ImportError:
    atheris = None

with atheris.instrument_imports(include=["fastflv"]) if atheris else nullcontext():
    from fastflv.errors import ProxyHeaderError
    from fastflv.net.ip import canonical
    from fastflv.net.proxyprotocol import HEADER_BYTES_MAX, Header, read_header

STARTS = (b"", b"PROXY TCP4 ", b"PROXY TCP6 ", b"\r\n\r\n\0\r\nQUIT\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0")
"Beginnings that a fuzzer would not guess."


def read(data: bytes) -> Header | str | None:
    try:
        return read_header(data)
    except ProxyHeaderError:
        return "refused"


def check(data: bytes) -> None:
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


def check_behind_starts(data: bytes) -> None:
    for start in STARTS:
        check(start + data)


if __name__ == "__main__":
    atheris.Setup(sys.argv, check_behind_starts)
    atheris.Fuzz()
