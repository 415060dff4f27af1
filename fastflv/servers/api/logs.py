"""`/api/v1/logs`: the newest lines of the log."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from itertools import islice
from typing import Final

from fastflv import limits
from fastflv.protocols.http.message import Response
from fastflv.servers.api.operation import Call, Fields, Operation, Parameter, always
from fastflv.servers.api.paging import number_of
from fastflv.servers.api.recentlog import LogLine, RecentLog
from fastflv.servers.api.schema import COUNT, TEXT, about, listed, one_of, record

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

LINE: Final = record(
    {
        "id": about(COUNT, "Number of the line since the start of the process."),
        "time_ms": about(COUNT, "Wall clock, ms since 1970."),
        "level": one_of(*LEVELS),
        "message": TEXT,
    },
    {
        "client": about(TEXT, "Id of the connection that the line is about."),
        "peer": about(TEXT, "Its address."),
        "error": about(TEXT, "A traceback."),
    },
)


class Logs:
    """The operation on the log."""

    def __init__(self, recent: RecentLog | None) -> None:
        """*recent*: None: the program that embeds the server has the log."""
        self._recent = recent

    def operations(self) -> Iterable[Operation]:
        return (
            Operation(
                "GET",
                "/api/v1/logs",
                "the newest lines of the log that are kept in memory, in their order",
                self._list,
                record(
                    {
                        "lines": listed(LINE),
                        "newest": about(COUNT, "Number of the newest line, whatever its level."),
                    }
                ),
                (
                    Parameter("level", one_of(*LEVELS), "The least level; `debug`, all lines, without it."),
                    Parameter("after", {**COUNT, "default": 0}, "Lines with a greater number alone."),
                    Parameter(
                        "count",
                        {
                            "type": "integer",
                            "minimum": 1,
                            "maximum": limits.LOG_PAGE_LINES,
                            "default": limits.LOG_PAGE_LINES,
                        },
                        f"The newest so many of them; {limits.LOG_PAGE_LINES} without it, and at most.",
                    ),
                ),
                statuses={404: "a program embeds the server and has its log"},
                private=always,
            ),
        )

    def _list(self, call: Call) -> Fields | Response:
        if self._recent is None:
            return Response.of_text(404, "the program that embeds this server has its log")
        args = call.request.args
        least = LEVELS.get(args.get("level", ""), 0)
        count = min(max(number_of(args.get("count", ""), limits.LOG_PAGE_LINES), 1), limits.LOG_PAGE_LINES)
        newest = self._recent.newest
        lines = list(self._recent.since(number_of(args.get("after", ""), 0)))
        found = islice((line for line in reversed(lines) if line.level >= least), count)
        return {"lines": [*map(_row, found)][::-1], "newest": newest}


def _row(line: LogLine) -> dict[str, object]:
    row: dict[str, object] = {
        "id": line.number,
        "time_ms": int(line.time * 1000),
        "level": _level(line.level),
        "message": line.text,
    }
    more = {"client": line.client, "peer": line.peer, "error": line.error}
    return row | {name: value for name, value in more.items() if value}


def _level(level: int) -> str:
    """The greatest named level that is not above *level*."""
    return next((name for name, least in reversed(LEVELS.items()) if level >= least), "debug")
