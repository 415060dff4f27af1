"""Ranges and conditions of a request: a range lies in the file, and this version's own validators have their meaning.

The first byte of an input chooses the size of the file; the rest are header fields, a line each.
"""

from __future__ import annotations

from fastflv.protocols.http.ranges import UnsatisfiableRange, parse_range
from fastflv.protocols.http.validators import Validators, is_failed, is_range_wanted, is_unmodified

SIZES = (0, 1, 2, 255, 4096, 2**31, 2**40, 2**63 - 1)
MODIFIED = 1_700_000_000
DATE = b"Tue, 14 Nov 2023 22:13:20 GMT"
FILE = Validators.of_file(4096, MODIFIED * 1_000_000_000, 77)
ETAG = FILE.etag.encode()
SEEDS = (
    b"\4range: bytes=0-99\nif-range: " + ETAG,
    b"\4range: bytes=-500\nif-range: " + DATE,
    b"\2range: bytes=1-\nif-none-match: W/" + ETAG + b', "b"',
    b"\0range: bytes=0-0,5-9\nif-match: *",
    b"\7range: bytes=9223372036854775806-99999999999999999999\nif-modified-since: " + DATE,
    b"\3if-unmodified-since: Tue, 14 Nov 2023 22:13:19 +0100",
)
WORDS = (
    b"range: ", b"bytes=", b"-", b",", b"0-0", b"99999999999999999999", b"\nif-range: ", b"\nif-none-match: ", b"\nif-match: ", b"W/",
    b"\nif-modified-since: ", b"\nif-unmodified-since: ", b"*", b'"', ETAG, DATE, b"+9999", b"-0000", b"Nov", b"9999", b"0001", b"\xb2",
)  # fmt: skip


def fields_of(lines: bytes) -> dict[str, str]:
    """The fields as an HTTP connection tells them: lower case names, of equal names the first."""
    fields: dict[str, str] = {}
    for line in lines.decode("latin-1").split("\n"):
        name, _, value = line.partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    return fields


def check(data: bytes) -> None:
    size = SIZES[(data[0] if data else 0) % len(SIZES)]
    fields = fields_of(data[1:])
    try:
        part = parse_range(fields.get("range", ""), size)
        assert part is None or (part.offset >= 0 and part.size >= 1 and part.offset + part.size <= size)
        if part is not None:
            last = part.offset + part.size - 1
            assert parse_range(f"bytes={part.offset}-{last}", size) == part
    except UnsatisfiableRange:
        assert "-" in fields["range"]
    unmodified, failed = is_unmodified(fields, FILE), is_failed(fields, FILE)
    wanted = is_range_wanted(fields, FILE)
    assert not unmodified or "if-none-match" in fields or "if-modified-since" in fields
    assert not failed or "if-match" in fields or "if-unmodified-since" in fields
    assert wanted or fields["if-range"]
    own = fields | {"if-none-match": FILE.etag, "if-match": FILE.etag, "if-range": FILE.etag}
    assert is_unmodified(own, FILE) and not is_failed(own, FILE) and is_range_wanted(own, FILE)
