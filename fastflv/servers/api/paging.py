"""The rows of a list that a request asks for: `start` and `count` of its query."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final, TypeVar

from fastflv import limits
from fastflv.protocols.http.message import Request
from fastflv.servers.api.operation import Parameter

Row = TypeVar("Row")

PAGE: Final = (
    Parameter(
        "start", {"type": "integer", "minimum": 0, "default": 0}, "Number of the first row; 0 without it."
    ),
    Parameter(
        "count",
        {
            "type": "integer",
            "minimum": 1,
            "maximum": limits.PAGE_COUNT_MAX,
            "default": limits.PAGE_COUNT_DEFAULT,
        },
        f"How many rows; {limits.PAGE_COUNT_DEFAULT} without it, {limits.PAGE_COUNT_MAX} at most.",
    ),
)
"What is no number counts as not given, as in SRS."


def page_of(request: Request) -> tuple[int, int]:
    """Return the number of the first row and of rows; what is no number counts as not given.

    Rows are PAGE_COUNT_MAX at most, and WORKER_ROWS_MAX where another worker asks: it makes the page of all answers.
    """
    args = request.args
    most = limits.WORKER_ROWS_MAX if request.peer.own else limits.PAGE_COUNT_MAX
    count = number_of(args.get("count", ""), limits.PAGE_COUNT_DEFAULT)
    return number_of(args.get("start", ""), 0), min(max(1, count), most)


def rows_of(request: Request, rows: Iterable[Row]) -> list[Row]:
    """Return those of *rows* that the request asks for."""
    start, count = page_of(request)
    return list(islice(rows, start, start + count))


def number_of(text: str, default: int) -> int:
    """Read a query argument that is a count, *default* where it is none; more digits than any count has mean "all"."""
    if not (text.isascii() and text.isdecimal()):
        return default
    return int(text) if len(text) < 16 else 10**15
