"""Fuzz `read_header` of the PROXY protocol: `pip install atheris; PYTHONPATH=. python fuzzing/fuzz_proxyprotocol.py`.

Arguments are those of libFuzzer, as `-max_total_time=60 CORPUS_FOLDER`.
"""

from __future__ import annotations

import sys

from fastflv.errors import ProxyHeaderError
from fastflv.net.ip import canonical
from fastflv.net.proxyprotocol import HEADER_BYTES_MAX, Header, read_header


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


def main() -> None:
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
