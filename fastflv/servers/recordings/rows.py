"""The operations of the recording API, as rows of the table of the API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from fastflv.servers.api.operation import JSON, Handler, Operation, Parameter
from fastflv.servers.api.paging import PAGE
from fastflv.servers.api.schema import COUNT, FLAG, NUMBER, TEXT, Schema, about, listed, one_of, record
from fastflv.servers.recordings.files import RecordingFiles
from fastflv.servers.recordings.request import RecordRequest
from fastflv.servers.recordings.streams import RecordedStreams

Act = Callable[[RecordRequest], None]
"Answers a request that the gate has admitted, at once or later."

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


def operations(
    streams: RecordedStreams, files: RecordingFiles, asked: Callable[[Act], Handler]
) -> Iterable[Operation]:
    """*asked* returns what asks the gate before an act."""

    def row(
        method: str,
        path: str,
        what: str,
        act: Act,
        answer: Schema,
        *parameters: Parameter,
        statuses: Mapping[int, str] = ASKED,
        content: str = JSON,
    ) -> Operation:
        return Operation(
            method, path, what, asked(act), answer, parameters, content, statuses=statuses, enveloped=False
        )

    for path in ("/flv/record/list", "/api/v1/recordings"):
        yield row("GET", path, "the recordings of a vhost, the newest first", files.show, LIST, *PAGE)
    file = "/api/v1/recordings/{id*}"
    yield row("GET", file, "a recording", files.send, {}, FILE, content="video/*")
    busy = {**ASKED, 409: "the file is being recorded"}
    yield row("DELETE", file, "delete a recording", files.remove, record(CODE), FILE, statuses=busy)
    yield row("POST", "/flv/record/start/{stream*}", "have a stream recorded", streams.start, STATE, STREAM)
    yield row(
        "POST", "/flv/record/stop/{stream*}", "end the recording of a stream", streams.stop, STATE, STREAM
    )
    yield row(
        "GET",
        "/flv/record/status/{stream*}",
        "how far the recording of a stream is",
        streams.status,
        STATE,
        STREAM,
    )
