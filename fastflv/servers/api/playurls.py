"""`/api/v1/streams/{id}/play`: the paths at which a stream plays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from fastflv.config.routes import PlayPath, Route, play_paths
from fastflv.containers.variant import Variant
from fastflv.errors import UsageError
from fastflv.protocols.http.message import Response
from fastflv.servers.api.census import Census
from fastflv.servers.api.operation import Call, Fields, Operation, refused
from fastflv.servers.api.schema import TEXT, about, listed, record
from fastflv.servers.api.streams import ID, STREAM_NOT_FOUND
from fastflv.stream.stream import Stream

PATH: Final = record(
    {
        "container": about(TEXT, "flv, ts, aac, mp3 or hls."),
        "path": about(TEXT, "On the ports of streams, not percent-encoded."),
        "refusal": about(TEXT, "Why the tracks of now cannot be played so; empty where they can."),
    }
)


class PlayUrls:
    """The operation on the paths of a stream."""

    def __init__(self, census: Census, routes_of: Callable[[str], Iterable[Route]]) -> None:
        """*routes_of*: the routes of a vhost by name."""
        self._census = census
        self._routes_of = routes_of

    def operations(self) -> Iterable[Operation]:
        return (
            Operation(
                "GET",
                "/api/v1/streams/{id}/play",
                "the paths at which a stream plays",
                self._list,
                record(
                    {
                        "paths": listed(PATH),
                        "vhost": about(TEXT, "Name of its vhost, for `?vhost=` where the host is another."),
                    }
                ),
                (ID,),
                codes={STREAM_NOT_FOUND: "no stream has that id"},
            ),
        )

    def _list(self, call: Call) -> Fields | Response:
        stream = self._census.stream(call.args["id"])
        if stream is None:
            return refused(STREAM_NOT_FOUND)
        name = stream.name
        paths = [
            {"container": each.container, "path": each.path, "refusal": _refusal(stream, each)}
            for each in play_paths(self._routes_of(name.vhost), name.app, name.stream)
        ]
        return {"paths": paths, "vhost": name.vhost}


def _refusal(stream: Stream, path: PlayPath) -> str:
    if path.container == "hls":
        return ""
    try:
        return stream.refusal(Variant(path.container).asked(path.args))
    except UsageError as error:
        return error.detail
