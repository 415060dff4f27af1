"""One request of the recording API: what it is about, and its answer in JSON."""

from __future__ import annotations

from dataclasses import dataclass

from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.record.options import RecordOptions
from fastflv.stream.name import StreamName


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


def refusal(status: int, reason: str = "there is no such thing", **headers: str) -> Response:
    response = Response.of_json({"code": status, "message": reason}, status)
    response.headers |= {key.replace("_", "-"): value for key, value in headers.items()}
    return response
