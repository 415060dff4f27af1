"""`/api/v1/streams`: streams, live and in grace."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Final

from fastflv.access.request import Role
from fastflv.config.masking import masked
from fastflv.media import trackinfo as tracks
from fastflv.protocols.http.message import Response
from fastflv.servers.api import machine
from fastflv.servers.api.census import TRAFFIC, Census, VhostEntry
from fastflv.servers.api.operation import (
    CLIENT_NOT_FOUND,
    Call,
    Fields,
    Listing,
    Operation,
    Parameter,
    refused,
)
from fastflv.servers.api.paging import PAGE, rows_of
from fastflv.servers.api.sample import Traffic
from fastflv.servers.api.schema import COUNT, FLAG, TEXT, about, listed, nullable, one_of, record
from fastflv.stream.endreason import EndReason
from fastflv.stream.stream import Phase, Stream

log = logging.getLogger(__name__)

STREAM_NOT_FOUND: Final = 2048
ID: Final = Parameter("id", TEXT, "Id of a stream.", in_path=True)

VIDEO: Final = record({"codec": TEXT, "profile": TEXT, "level": TEXT, "width": COUNT, "height": COUNT})
AUDIO: Final = record({"codec": TEXT, "sample_rate": COUNT, "channel": COUNT, "profile": TEXT})
STREAM: Final = record(
    {
        "id": TEXT,
        "name": TEXT,
        "vhost": about(TEXT, "Id of the vhost."),
        "app": TEXT,
        "tcUrl": about(TEXT, "Of the publisher, secrets masked."),
        "url": TEXT,
        "live_ms": about(COUNT, "Wall clock, ms since 1970."),
        "clients": about(COUNT, "Players, and the publisher."),
        "frames": about(COUNT, "As video_frames."),
        "audio_frames": COUNT,
        "video_frames": COUNT,
        **TRAFFIC,
        "publish": record(
            {
                "active": FLAG,
                "cid": about(TEXT, "Id of the publisher."),
                "role": about(one_of("", *(role.value for role in Role)), "Of it; empty without one."),
                "standby": about(TEXT, "Id of the publisher that is ready to follow; empty without one."),
                "pulled": about(FLAG, "It is fetched from another server."),
                "state": one_of(*(phase.value for phase in Phase)),
            }
        ),
        "video": nullable(VIDEO),
        "audio": nullable(AUDIO),
    }
)


class Streams:
    """The operations on streams."""

    def __init__(self, census: Census) -> None:
        self._census = census

    def operations(self) -> Iterable[Operation]:
        absent = {STREAM_NOT_FOUND: "no stream has that id"}
        return (
            Operation(
                "GET",
                "/api/v1/streams",
                "manage all streams or specified stream",
                self._list,
                record({"streams": listed(STREAM), "total": COUNT}),
                PAGE,
            ),
            Operation(
                "GET",
                "/api/v1/streams/{id}",
                "one stream",
                self._show,
                record({"stream": STREAM}),
                (ID,),
                codes=absent,
            ),
            Operation(
                "DELETE",
                "/api/v1/streams/{id}/publisher",
                "disconnect the publisher of a stream",
                self._drop,
                record({}),
                (ID,),
                codes={**absent, CLIENT_NOT_FOUND: "nobody publishes it now"},
            ),
        )

    def _list(self, call: Call) -> Listing:
        census = self._census
        vhosts, traffic = census.by_name(), census.traffic()
        # Workers have their streams in different orders; their ids are the same in all.
        every = sorted(census.hub, key=attrgetter("id")) if call.request.peer.own else census.hub
        found = rows_of(call.request, every)
        return Listing("streams", (self._row(stream, vhosts, traffic) for stream in found), len(census.hub))

    def _drop(self, call: Call) -> Fields | Response:
        stream, peer = self._census.stream(call.args["id"]), call.request.peer
        if stream is None:
            return refused(STREAM_NOT_FOUND)
        publisher = self._census.clients.find(stream.publisher_id)
        if publisher is None or stream.phase is not Phase.LIVE:
            return refused(CLIENT_NOT_FOUND)
        if call.request.peer.own and publisher.request.own:
            # The worker that has the publisher is asked too.
            return refused(CLIENT_NOT_FOUND)
        log.info("api: %s disconnects publisher %s", peer.ip, publisher.id, extra=peer.marks)
        publisher.drop(EndReason.KICKED)
        return {}

    def _show(self, call: Call) -> Fields | Response:
        census, stream = self._census, self._census.stream(call.args["id"])
        if stream is None:
            return refused(STREAM_NOT_FOUND)
        return {"stream": self._row(stream, census.by_name(), census.traffic())}

    def _row(self, stream: Stream, vhosts: Mapping[str, VhostEntry], traffic: Traffic) -> dict[str, object]:
        writer, census = stream.writer, self._census
        publisher = census.clients.find(stream.publisher_id)
        vhost = vhosts.get(stream.name.vhost)
        return {
            "id": stream.id,
            "name": stream.name.stream,
            "vhost": vhost.id if vhost is not None else "",
            "app": stream.name.app,
            "tcUrl": masked(publisher.request.tc_url) if publisher else "",
            "url": stream.name.url,
            "live_ms": machine.now_ms(),
            "clients": census.clients.count(stream),
            "frames": writer.video_tags,
            "audio_frames": writer.audio_tags,
            "video_frames": writer.video_tags,
            **census.moved(stream.id, writer.bytes, traffic.stream_sent[stream.id], stream.began),
            "publish": {
                "active": stream.phase is Phase.LIVE,
                "cid": stream.publisher_id,
                "role": publisher.request.role.value if publisher else "",
                "standby": stream.standby_id,
                "pulled": stream.publisher is not None and stream.publisher.own,
                "state": stream.phase.value,
            },
            "video": video_of(stream, parsed=vhost is None or vhost.parse_sps),
            "audio": audio_of(stream),
        }


def video_of(stream: Stream, *, parsed: bool) -> dict[str, object] | None:
    """Describe the picture of *stream*; None without. *parsed*: by its sequence header too."""
    writer = stream.writer
    if not writer.has_video:
        return None
    header = writer.config(9) if parsed else None
    return tracks.describe_video(writer.video_codec, header, stream.width, stream.height)


def audio_of(stream: Stream) -> dict[str, object] | None:
    """Describe the sound of *stream*; None without."""
    writer = stream.writer
    if not writer.has_audio:
        return None
    return tracks.describe_audio(writer.audio_codec, writer.config(8), (writer.audio_head or b"\0")[0])
