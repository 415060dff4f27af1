"""Operations: one method of one path of the API each. The table of them is the API: dispatch, index pages and the OpenAPI
document are made from it."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.api.schema import Schema

JSON: Final = "application/json"

CLIENT_NOT_FOUND: Final = 2049
VHOST_NOT_FOUND: Final = 2014
"Of several rooms; codes of one stand there."


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a path or of a query."""

    name: str
    schema: Schema
    about: str
    "One sentence."
    in_path: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One request of an operation."""

    exchange: Exchange
    args: Mapping[str, str]
    "What the parameters of the path are."

    @property
    def request(self) -> Request:
        return self.exchange.request


Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Listing:
    """An answer that is a page of a list. Its rows are made in portions between turns of the event loop."""

    name: str
    "Field of the answer."

    rows: Iterator[Fields]
    "Makes a row when it is asked for the next one."

    total: int
    "Rows of the whole list."


Handler = Callable[[Call], Fields | Listing | Response | Future[Fields] | None]
"""Returns the fields of an answer, which `code`, `server`, `service` and `pid` are added to, now or in a future; or a page of a
list; or the whole answer; or None: it answers by the exchange, now or later."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table."""

    method: str
    "GET answers HEAD too."

    path: str
    "With `{name}` for one part, `{name*}` for all parts that follow."

    about: str
    "What it is, a clause; index pages show it."

    handler: Handler

    answer: Schema = field(default_factory=dict)
    "Of the fields in a good answer besides those that all have; of a text: its schema."

    parameters: tuple[Parameter, ...] = ()

    content: str = JSON
    "Media type of a good answer."

    codes: Mapping[int, str] = field(default_factory=dict)
    "Values of `code` other than 0, with what they mean."

    statuses: Mapping[int, str] = field(default_factory=dict)
    "HTTP statuses other than 200, with what they mean; those that the table itself answers are not among them."

    enveloped: bool = True
    "A good answer has `server`, `service` and `pid`."

    guarded: bool = True
    "`http_api { auth }` asks for its password."

    reads: bool = False
    "It changes nothing, whatever its method: `read_only` lets it pass. GET always does."

    private: Callable[[Request], bool] | None = None
    """Which of its requests show logs, settings or tokens, or change all of the server; None: none. Without a password they are
    answered to this machine alone, and they are never scripts."""

    @property
    def changes(self) -> bool:
        """It changes something by its method."""
        return self.method != "GET" and not self.reads

    def is_private(self, request: Request) -> bool:
        return self.private is not None and self.private(request)


def always(request: Request) -> bool:
    """Return True: each request of an operation is private."""
    return True


def refused(code: int) -> Response:
    """Return the answer with an error of SRS's numbers, which stands in `code` with HTTP status 200."""
    return Response.of_json({"code": code})
