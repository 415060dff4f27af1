"""`/api/v1/clusters`: where a stream is, as SRS's origins ask each other; and all streams of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from fastflv.protocols.http.message import Request
from fastflv.servers.api.operation import Call, Fields, Listing, Operation, Parameter
from fastflv.servers.api.paging import PAGE, page_of
from fastflv.servers.api.schema import (
    COUNT,
    FLAG,
    INTEGER,
    NUMBER,
    TEXT,
    about,
    listed,
    mapped,
    nullable,
    record,
)
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Phase


class ClusterNode(NamedTuple):
    """One server of a directory, as the API shows it."""

    mark: str
    own: bool
    server: str
    addresses: Mapping[str, str]
    players: int
    kbps: int
    streams: Mapping[str, float]
    "When each began, seconds since 1970, by `vhost/app/stream`."


class ClusterDirectory(NamedTuple):
    """One directory, as the API shows it."""

    url: str
    "Without its password."

    fault: str
    "Why it cannot be used, one clause; empty while it can."

    seconds: float
    "How long that has lasted."

    nodes: list[ClusterNode]


class Own(NamedTuple):
    """How others reach this server."""

    host: str
    rtmp: int
    api: int


QUERY: Final = tuple(
    Parameter(name, TEXT, text)
    for name, text in (
        ("ip", "Host by which the asker knows this server; it is only repeated."),
        ("vhost", "The stream's."),
        ("app", "The stream's."),
        ("stream", "The stream's."),
        ("coworker", "HOST:PORT of this API, as the asker has it."),
    )
)
ORIGIN: Final = record({"ip": TEXT, "port": INTEGER, "vhost": TEXT, "api": TEXT, "routers": listed(TEXT)})
NODE: Final = record(
    {
        "mark": about(
            TEXT, "Of the process: `service` of its API, with the number of a worker behind a dot."
        ),
        "own": about(FLAG, "It is a process of the server that answers."),
        "server": TEXT,
        "addresses": about(mapped(TEXT), "HOST:PORT by scheme."),
        "players": COUNT,
        "kbps": about(COUNT, "Sent to clients."),
        "streams": about(COUNT, "Published there."),
    }
)
DIRECTORY: Final = record(
    {
        "url": about(TEXT, "Without its password."),
        "up": FLAG,
        "fault": about(TEXT, "Why it cannot be used; empty while it can."),
        "seconds": about(NUMBER, "How long that has lasted."),
        "nodes": listed(NODE),
    }
)
PLACE: Final = record(
    {
        "vhost": TEXT,
        "app": TEXT,
        "name": TEXT,
        "began": about(NUMBER, "Seconds since 1970."),
        "server": about(TEXT, "Id of the server that has it."),
        "mark": TEXT,
        "addresses": mapped(TEXT),
    }
)


class Clusters:
    """The operations on a cluster."""

    def __init__(
        self, hub: Hub, directories: Callable[[], list[ClusterDirectory]], own: Callable[[], Own]
    ) -> None:
        self._hub = hub
        self._directories = directories
        self._own = own

    def operations(self) -> Iterable[Operation]:
        answer = record(
            {
                "data": record(
                    {
                        "query": record({"ip": TEXT, "vhost": TEXT, "app": TEXT, "stream": TEXT}),
                        "origin": nullable(ORIGIN),
                    }
                )
            }
        )
        return (
            *(
                Operation(
                    method,
                    "/api/v1/clusters",
                    "where a stream is published, as origins of SRS ask each other",
                    self._find,
                    answer,
                    QUERY,
                    reads=True,
                )
                for method in ("GET", "POST")
            ),
            Operation(
                "GET",
                "/api/v1/clusters/directories",
                "the directories that this server is in, with their servers",
                self._list_directories,
                record({"directories": listed(DIRECTORY)}),
            ),
            Operation(
                "GET",
                "/api/v1/clusters/streams",
                "the streams that all servers of the directories publish",
                self._list_streams,
                record({"streams": listed(PLACE), "total": COUNT}),
                PAGE,
            ),
        )

    def _find(self, call: Call) -> Fields:
        args = call.request.args
        query = {name: args.get(name, "") for name in ("ip", "vhost", "app", "stream")}
        stream = self._hub.find(StreamName(query["vhost"], query["app"], query["stream"]))
        local = stream is not None and stream.phase is Phase.LIVE
        # A stream that is fetched is published elsewhere.
        local = local and not (stream is not None and stream.publisher is not None and stream.publisher.own)
        return {"data": {"query": query, "origin": self._origin(call.request) if local else None}}

    def _origin(self, request: Request) -> Fields:
        own, coworker = self._own(), request.args.get("coworker", "")
        host = coworker.rpartition(":")[0] or coworker or own.host
        api = coworker or f"{own.host}:{own.api}"
        return {
            "ip": host.strip("[]"),
            "port": own.rtmp,
            "vhost": request.args.get("vhost", ""),
            "api": api,
            "routers": [api],
        }

    def _list_directories(self, call: Call) -> Fields:
        return {
            "directories": [
                {
                    "url": each.url,
                    "up": not each.fault,
                    "fault": each.fault,
                    "seconds": round(each.seconds, 3),
                    "nodes": [{**node._asdict(), "streams": len(node.streams)} for node in each.nodes],
                }
                for each in self._directories()
            ]
        }

    def _list_streams(self, call: Call) -> Listing:
        # In an order of their own: pages may come from several servers behind a balancer.
        nodes = sorted(
            (node for each in self._directories() for node in each.nodes), key=lambda node: node.mark
        )
        start, count = page_of(call.request)
        return Listing("streams", _places(nodes, start, count), sum(len(node.streams) for node in nodes))


def _places(nodes: list[ClusterNode], start: int, count: int) -> Iterator[Fields]:
    """Rows *start* and on, *count* of them; servers before them cost no look at their streams."""
    for node in nodes:
        if start >= len(node.streams):
            start -= len(node.streams)
            continue
        for key in sorted(node.streams)[start : start + count]:
            vhost, _, path = key.partition("/")
            app, _, name = path.rpartition("/")
            yield {
                "vhost": vhost,
                "app": app,
                "name": name,
                "began": node.streams[key],
                "server": node.server,
                "mark": node.mark,
                "addresses": dict(node.addresses),
            }
            count -= 1
        start = 0
        if count <= 0:
            return
