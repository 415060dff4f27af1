"""What tells one version of a resource from another, and requests that depend on it.

Spec: RFC 9110, 8.8 and 13.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from fastflv.protocols.http.date import http_date, seconds_of

ETAG: Final = re.compile(r'(?:W/)?"[^"\x00-\x20\x7f]*"')


class Validators(NamedTuple):
    """Of one version of a file."""

    etag: str
    "Strong entity tag, with its quotes."
    modified: int
    "Seconds since 1970."

    @classmethod
    def of_file(cls, size: int, modified_ns: int, inode: int) -> Validators:
        """Make those of a file by its status; *modified_ns* tells two versions of one second apart."""
        return cls(f'"{modified_ns:x}-{size:x}-{inode:x}"', modified_ns // 1_000_000_000)

    def of_part(self, offset: int, size: int, before: int) -> Validators:
        """Return those of a part of the file, as a resource of its own; *before* is a checksum of what stands before it."""
        return self._replace(etag=f'{self.etag[:-1]}-{offset:x}-{size:x}-{before:x}"')

    @property
    def fields(self) -> dict[str, str]:
        """The headers that show them."""
        return {"ETag": self.etag, "Last-Modified": http_date(self.modified)}


CONDITIONS: Final = frozenset(
    ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range")
)
"Fields on which an answer may depend."


def is_conditional(headers: Mapping[str, str]) -> bool:
    """Return whether a request asks for a part, or has conditions; what it gets otherwise is the same for all."""
    return not CONDITIONS.isdisjoint(headers)


def is_unmodified(headers: Mapping[str, str], validators: Validators) -> bool:
    """Return whether a GET or HEAD is answered with 304: the client has this version."""
    tags = headers.get("if-none-match")
    if tags is not None:
        # The tag decides alone where both are there (13.2.2), and compares weakly.
        return tags.strip() == "*" or validators.etag in [
            tag.removeprefix("W/") for tag in ETAG.findall(tags)
        ]
    since = seconds_of(headers.get("if-modified-since", ""))
    return since is not None and validators.modified <= since


def is_failed(headers: Mapping[str, str], validators: Validators) -> bool:
    """Return whether a condition of the request does not hold: 412."""
    tags = headers.get("if-match")
    if tags is not None:
        return tags.strip() != "*" and validators.etag not in ETAG.findall(tags)
    since = seconds_of(headers.get("if-unmodified-since", ""))
    return since is not None and validators.modified > since


def is_range_wanted(headers: Mapping[str, str], validators: Validators) -> bool:
    """Return whether the Range header counts: without If-Range, or when it names this version (13.1.5)."""
    condition = headers.get("if-range", "").strip()
    if not condition:
        return True
    if condition.startswith(('"', "W/")):
        return condition == validators.etag
    return seconds_of(condition) == validators.modified
