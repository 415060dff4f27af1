"""One request of the recording API: what it is about, and its answer in JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from fastflv.errors import FilesBusyError
from fastflv.net.filepool import FileShare
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.record.options import RecordOptions
from fastflv.stream.name import StreamName

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class RecordSite:
    """What the API records of a vhost, and where."""

    vhost: str
    folder: str
    "`record_path`."
    options: RecordOptions


@dataclass(frozen=True, slots=True)
class RecordRequest:
    """A request; exactly one of `reply` and `refuse` answers it, or the files do."""

    exchange: Exchange
    site: RecordSite

    name: StreamName
    "The stream; without app and stream where it is about all of a vhost."

    path: str = ""
    "Of the file, relative to `record_path`; empty where it is about none."

    def reply(self, **fields: object) -> None:
        self.exchange.respond(Response.of_json({"code": 0, **fields}))

    def refuse(self, status: int, reason: str = "there is no such thing", **headers: str) -> None:
        """Answer with a status and a reason; `Retry_After="1"` makes a header."""
        self.exchange.respond(refusal(status, reason, **headers))

    def run(
        self,
        share: FileShare,
        work: Callable[[], Result],
        then: Callable[[asyncio.Future[Result]], None],
    ) -> None:
        """Do *work* on a thread, *then* what follows."""

        def done(future: asyncio.Future[Result]) -> None:
            if future.cancelled():
                self.refuse(503, "no thread is free to do it; ask again", Retry_After="1")
            else:
                then(future)

        try:
            share.run(work).add_done_callback(done)
        except FilesBusyError as error:
            self.refuse(503, f"{error.detail}; ask again", Retry_After="1")


def refusal(status: int, reason: str = "there is no such thing", **headers: str) -> Response:
    response = Response.of_json({"code": status, "message": reason}, status)
    response.headers |= {key.replace("_", "-"): value for key, value in headers.items()}
    return response
