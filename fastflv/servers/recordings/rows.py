"""The operations of the recording API, as rows of the table of the API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from fastflv.protocols.http.exchange import Exchange
from fastflv.servers.api.operation import JSON, Call, Operation, Parameter
from fastflv.servers.api.paging import PAGE
from fastflv.servers.api.schema import COUNT, FLAG, NUMBER, TEXT, Schema, about, listed, one_of, record

FILE: Final = Parameter("id", TEXT, "Path of the file below `record_path`, with its slashes.", in_path=True)
STREAM: Final = Parameter("stream", TEXT, "App and name of the stream: `live/x`.", in_path=True)

CODE: Final = {"code": about({"const": 0}, "0: the answer is good.")}
ROW: Final = record(
    {
        "id": TEXT,
        "url": TEXT,
        "size": about(COUNT, "Bytes."),
        "duration": about(NUMBER, "Seconds."),
        "codecs": listed(TEXT),
        "state": one_of("recording", "broken", "finished"),
        "changed": about(NUMBER, "Wall clock, seconds since 1970."),
    }
)
LIST: Final = record({**CODE, "recordings": listed(ROW), "total": COUNT})
STATE: Final = record(
    {**CODE, "recording": FLAG, "stream": TEXT},
    {
        "file": TEXT,
        "size": about(COUNT, "Bytes."),
        "duration": about(NUMBER, "Seconds."),
        "tracks": listed(TEXT),
    },
)
ASKED: Final = {
    400: "no stream can have that name",
    403: "a rule refuses it",
    404: "there is no such thing",
    503: "the server is busy; ask again",
}


def operations(handle: Callable[[Exchange, str], None]) -> Iterable[Operation]:
    """*handle* answers an exchange of a vhost; empty: the one that the request names."""

    def row(
        method: str,
        path: str,
        what: str,
        answer: Schema,
        *parameters: Parameter,
        statuses: Mapping[int, str] = ASKED,
        content: str = JSON,
    ) -> Operation:
        def ask(call: Call) -> None:
            handle(call.exchange, "")

        return Operation(
            method, path, what, ask, answer, parameters, content, statuses=statuses, enveloped=False
        )

    for path in ("/flv/record/list", "/api/v1/recordings"):
        yield row("GET", path, "the recordings of a vhost, the newest first", LIST, *PAGE)
    file = "/api/v1/recordings/{id*}"
    yield row("GET", file, "a recording", {}, FILE, content="video/*")
    busy = {**ASKED, 409: "the file is being recorded"}
    yield row("DELETE", file, "delete a recording", record(CODE), FILE, statuses=busy)
    yield row("POST", "/flv/record/start/{stream*}", "have a stream recorded", STATE, STREAM)
    yield row("POST", "/flv/record/stop/{stream*}", "end the recording of a stream", STATE, STREAM)
    yield row("GET", "/flv/record/status/{stream*}", "how far the recording of a stream is", STATE, STREAM)
