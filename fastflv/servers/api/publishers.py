"""`/api/v1/publishers`: who publishes, how evenly, and what of it will trouble players."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from fastflv import limits
from fastflv._ext.ingest.figures import PublisherFigures
from fastflv.access.request import Role
from fastflv.servers.api.census import TRAFFIC, Census, VhostEntry
from fastflv.servers.api.operation import Call, Listing, Operation, Parameter
from fastflv.servers.api.paging import PAGE, rows_of
from fastflv.servers.api.schema import COUNT, FLAG, NUMBER, TEXT, about, listed, nullable, one_of, record
from fastflv.servers.api.streams import AUDIO, VIDEO, audio_of, video_of
from fastflv.stream.clients import Client

NO_KEYFRAME: Final = "no keyframe"
REPAIRED: Final = "timestamps repaired"
REORDERED: Final = "b-frames"
VARIABLE_RATE: Final = "variable frame rate"
UNEVEN: Final = "uneven arrival"
SKEWED: Final = "sound and picture apart"
WARNINGS: Final = (NO_KEYFRAME, REPAIRED, REORDERED, VARIABLE_RATE, UNEVEN, SKEWED)

PUBLISHER: Final = record(
    {
        "id": about(TEXT, "Id of the client."),
        "stream": about(TEXT, "Id of the stream."),
        "vhost": about(TEXT, "Id of the vhost."),
        "url": about(TEXT, "Of the stream."),
        "ip": TEXT,
        "type": about(TEXT, "`fmle-publish`, `flv-publish`, ..."),
        "active": about(FLAG, "The stream is made of its media. The figures below are 0 otherwise."),
        "role": one_of(*(role.value for role in Role)),
        "alive": about(NUMBER, "Seconds since it came."),
        **TRAFFIC,
        "video": nullable(VIDEO),
        "audio": nullable(AUDIO),
        "frame_rate": about(NUMBER, "Pictures a second that arrive, over the newest GOP."),
        "key_interval_ms": about(COUNT, "Time between the two newest keyframes; 0 before the second."),
        "key_age_ms": about(nullable(COUNT), "Time since the newest keyframe; null before the first."),
        "gop_bytes": about(COUNT, "Bytes between the two newest keyframes, sound included."),
        "jitter_ms": about(NUMBER, "Mean deviation of arrival from the timestamps (RFC 3550)."),
        "skew_ms": about(NUMBER, "How far sound arrives ahead of the pictures of its time."),
        "repaired": about(COUNT, "Timestamps that were changed: jumps, and times that went back."),
        "warnings": listed(
            record({"kind": one_of(*WARNINGS), "message": about(TEXT, "A sentence: what, and what to do.")})
        ),
    }
)
STREAM: Final = Parameter("stream", TEXT, "Id of a stream: its publishers alone.")


class Publishers:
    """The operation on publishers."""

    def __init__(self, census: Census) -> None:
        self._census = census

    def operations(self) -> Iterable[Operation]:
        return (
            Operation(
                "GET",
                "/api/v1/publishers",
                "who publishes: rates, keyframes, jitter and warnings",
                self._list,
                record({"publishers": listed(PUBLISHER), "total": COUNT}),
                (*PAGE, STREAM),
            ),
        )

    def _list(self, call: Call) -> Listing:
        vhosts = self._census.by_name()
        stream = call.request.args.get("stream", "")
        every = [
            client
            for client in self._census.clients
            if client.publish and (not stream or client.stream.id == stream)
        ]
        found = rows_of(call.request, every)
        return Listing("publishers", (self._row(each, vhosts) for each in found), len(every))

    def _row(self, client: Client, vhosts: Mapping[str, VhostEntry]) -> dict[str, object]:
        census, stream = self._census, client.stream
        vhost = vhosts.get(stream.name.vhost)
        active = stream.publisher_id == client.id
        now_ms = int(census.clock() * 1000)
        alive = census.clock() - client.joined
        row: dict[str, object] = {
            "id": client.id,
            "stream": stream.id,
            "vhost": vhost.id if vhost is not None else "",
            "url": stream.name.url,
            "ip": client.request.peer.ip,
            "type": client.request.output,
            "active": active,
            "role": client.request.role.value,
            "alive": round(alive, 2),
            **census.moved(client.id, client.received, client.sent, client.joined),
        }
        if not active:
            return {**row, **IDLE}
        figures, skew_ms = stream.writer.figures_at(now_ms), stream.writer.skew_ms
        warnings = _warnings(figures, skew_ms, alive_ms=int(alive * 1000), video=stream.writer.has_video)
        return {
            **row,
            "video": video_of(stream, parsed=vhost is None or vhost.parse_sps),
            "audio": audio_of(stream),
            "frame_rate": round(figures.frame_rate, 2),
            "key_interval_ms": figures.key_interval_ms,
            "key_age_ms": figures.key_age_ms if figures.key_age_ms >= 0 else None,
            "gop_bytes": figures.gop_bytes,
            "jitter_ms": round(figures.jitter_ms, 1),
            "skew_ms": skew_ms,
            "repaired": figures.repaired,
            "warnings": [{"kind": kind, "message": message} for kind, message in warnings],
        }


IDLE: Final = {
    "video": None,
    "audio": None,
    **dict.fromkeys(("frame_rate", "key_interval_ms", "gop_bytes", "jitter_ms", "skew_ms", "repaired"), 0),
    "key_age_ms": None,
    "warnings": (),
}
"Figures of a publisher whose media is not the stream's."


def _warnings(
    figures: PublisherFigures, skew_ms: int, *, alive_ms: int, video: bool
) -> Iterator[tuple[str, str]]:
    """The kinds and sentences of what will trouble players, the worst first. *alive_ms*: since the publisher came."""
    age_ms = figures.key_age_ms if figures.key_age_ms >= 0 else alive_ms
    longest_ms = max(age_ms, figures.key_interval_ms)
    if video and longest_ms >= limits.WARN_KEY_MS:
        what = "no keyframe for" if longest_ms == age_ms else "keyframes come each"
        yield (
            NO_KEYFRAME,
            f"{what} {longest_ms / 1000:.0f} s: players start late; set the keyframe interval of the encoder to 2 s",
        )
    if 0 <= figures.repair_age_ms < limits.WARN_REPAIR_MS:
        yield (
            REPAIRED,
            f"{figures.repaired} timestamps jumped or went back and were repaired, the newest"
            f" {figures.repair_age_ms / 1000:.0f} s ago; look at the clock of the encoder",
        )
    if figures.pictures >= limits.WARN_PICTURES_MIN:
        if figures.reordered > figures.pictures * limits.WARN_REORDERED:
            yield (
                REORDERED,
                "the encoder sends B-frames, each of which adds delay; for low delay tune it for zero latency",
            )
        if figures.step_change_ms > max(
            figures.step_ms * limits.WARN_STEP_CHANGE, limits.WARN_STEP_CHANGE_MS_MIN
        ):
            yield (
                VARIABLE_RATE,
                "the time between pictures varies; players and recorders expect a constant frame rate",
            )
    if figures.jitter_ms >= limits.WARN_JITTER_MS:
        yield (
            UNEVEN,
            f"frames arrive {figures.jitter_ms:.0f} ms off their times; the way from the encoder is uneven",
        )
    if abs(skew_ms) >= limits.WARN_SKEW_MS:
        way = "ahead of" if skew_ms > 0 else "behind"
        yield (
            SKEWED,
            f"sound arrives {abs(skew_ms)} ms {way} its pictures; players have to buffer as much",
        )
