"""`/api/v1/forwards`: streams that are published to other servers, and how it goes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from enum import Enum
from typing import Final, Protocol

from fastflv.servers.api.operation import Call, Fields, Listing, Operation
from fastflv.servers.api.paging import PAGE, rows_of
from fastflv.servers.api.schema import COUNT, NUMBER, TEXT, about, listed, one_of, record
from fastflv.stream.lag import Steps
from fastflv.stream.stream import Stream


class ForwardRow(Protocol):
    """What is shown of a forward."""

    stream: Stream
    fault: str
    attempts: int
    since: float

    @property
    def state(self) -> Enum: ...
    @property
    def shown(self) -> str: ...
    @property
    def sent(self) -> int: ...
    @property
    def steps(self) -> Steps: ...


FORWARD: Final = record(
    {
        "stream": about(TEXT, "Id of the stream."),
        "url": about(TEXT, "The stream, as in the list of streams."),
        "destination": about(TEXT, "Without query, and without a stream name that only the file has."),
        "state": one_of("waiting", "connecting", "forwarding", "loop"),
        "state_seconds": about(NUMBER, "How long the state has lasted."),
        "attempts": about(COUNT, "Connections tried since the forward began."),
        "fault": about(TEXT, "Why the last attempt failed or the connection was lost; empty while it forwards."),
        "send_bytes": COUNT,
        "lag_ms": about(COUNT, "Age of the oldest media that the destination has not got."),
        "jumps": about(COUNT, "Times that it was moved on to a keyframe because the destination was too slow."),
        "pictures_dropped": COUNT,
    }
)  # fmt: skip


class ForwardRows:
    """The operations on forwards."""

    def __init__(self, forwards: Callable[[], Collection[ForwardRow]], now: Callable[[], float]) -> None:
        """*forwards* returns those that have not ended. *now*: monotonic clock, seconds."""
        self._forwards = forwards
        self._now = now

    def operations(self) -> Iterable[Operation]:
        return (
            Operation(
                "GET",
                "/api/v1/forwards",
                "streams that are published to other servers",
                self._list,
                record({"forwards": listed(FORWARD), "total": COUNT}),
                PAGE,
            ),
        )

    def _list(self, call: Call) -> Listing:
        forwards = self._forwards()
        found = rows_of(call.request, forwards)
        return Listing("forwards", map(self._row, found), len(forwards))

    def _row(self, forward: ForwardRow) -> Fields:
        steps = forward.steps
        return {
            "stream": forward.stream.id,
            "url": forward.stream.url,
            "destination": forward.shown,
            "state": forward.state.value,
            "state_seconds": round(self._now() - forward.since, 3),
            "attempts": forward.attempts,
            "fault": forward.fault,
            "send_bytes": forward.sent,
            "lag_ms": steps.lag_ms,
            "jumps": steps.jumps,
            "pictures_dropped": steps.dropped,
        }
