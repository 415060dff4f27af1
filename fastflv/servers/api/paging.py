"""The rows of a list that a request asks for: `start` and `count` of its query."""

from __future__ import annotations

from fastflv import limits
from fastflv.protocols.http.message import Request


def page_of(request: Request) -> tuple[int, int]:
    """Return the number of the first row and of rows, PAGE_COUNT_MAX at most; what is no number counts as not given."""
    args = request.args
    count = _number(args.get("count", ""), limits.PAGE_COUNT_DEFAULT)
    return _number(args.get("start", ""), 0), min(max(1, count), limits.PAGE_COUNT_MAX)


def _number(text: str, default: int) -> int:
    """Read a query argument; more digits than any count has mean "all"."""
    if not (text.isascii() and text.isdecimal()):
        return default
    return int(text) if len(text) < 10 else 1_000_000_000
