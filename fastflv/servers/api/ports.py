"""`/api/v1/listeners`: the ports that are open, and what is spoken there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from fastflv.servers.api.operation import Call, Fields, Operation
from fastflv.servers.api.schema import COUNT, FLAG, TEXT, about, listed, one_of, record


class OpenPort(NamedTuple):
    """One listener on a TCP port."""

    name: str
    "As log lines have it: `RTMP`, `HTTP`, `API over TLS`, ..."

    host: str
    "Its address; empty: every interface."

    port: int
    scheme: str
    "Of URLs: rtmp, rtmps, http, https or tcp."

    streams: bool
    "Streams are played and published here by the paths of their vhosts."

    api: bool
    "The API answers here."


LISTENER: Final = record(
    {
        "name": TEXT,
        "host": about(TEXT, "Address; empty: every interface."),
        "port": COUNT,
        "scheme": one_of("rtmp", "rtmps", "http", "https", "tcp"),
        "streams": about(FLAG, "Streams are played and published here."),
        "api": about(FLAG, "The API answers here."),
    }
)


class Ports:
    """The operation on listeners."""

    def __init__(self, ports: Callable[[], Iterable[OpenPort]]) -> None:
        self._ports = ports

    def operations(self) -> Iterable[Operation]:
        return (
            Operation(
                "GET",
                "/api/v1/listeners",
                "the open ports, and what is spoken there",
                self._list,
                record({"listeners": listed(LISTENER)}),
            ),
        )

    def _list(self, call: Call) -> Fields:
        return {"listeners": [each._asdict() for each in self._ports()]}
