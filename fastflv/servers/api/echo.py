"""Requests that show themselves, an error, and a redirection: for whoever tests an HTTP client."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fastflv import __version__
from fastflv.protocols.http.message import Response
from fastflv.servers.api.machine import now_ms
from fastflv.servers.api.operation import Call, Fields, Operation, refused
from fastflv.servers.api.schema import COUNT, TEXT, record

TEST_ERROR: Final = 100
ERRORS: Final = "/api/v1/tests/errors"

ECHO: Final = record(
    {
        "uri": TEXT,
        "path": TEXT,
        "METHOD": TEXT,
        "headers": record({"sigature": TEXT, "version": TEXT, "link": TEXT, "time": COUNT}),
    }
)


class Echo:
    """The operations on the request itself."""

    def operations(self) -> Iterable[Operation]:
        shown = record({"data": ECHO})
        return (
            Operation("GET", "/api/v1/requests", "the request itself, for http debug", _show, shown),
            Operation("GET", "/api/v1/tests/requests", "show the request info", _show, shown),
            Operation(
                "GET",
                ERRORS,
                "always return an error 100",
                lambda call: refused(TEST_ERROR),
                codes={TEST_ERROR: "always"},
            ),
            Operation(
                "GET",
                "/api/v1/tests/redirects",
                "always redirect to /api/v1/tests/errors",
                lambda call: Response(301, headers={"Location": ERRORS}),
                statuses={301: "always"},
            ),
        )


def _show(call: Call) -> Fields:
    request = call.request
    query = f"?{request.query}" if request.query else ""
    host = request.headers.get("host", "")
    return {
        "data": {
            "uri": f"{call.exchange.scheme}://{host}{request.path}{query}",
            "path": request.path,
            "METHOD": request.method,
            # SRS spells it so.
            "headers": {"sigature": "fastflv", "version": __version__, "link": "", "time": now_ms()},
        }
    }
