"""`/api/v1/upstreams` and `/api/v1/pulls`: the origins of an edge, and the streams that come from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from fastflv.cluster.states import PullState
from fastflv.config.masking import masked
from fastflv.servers.api.operation import Call, Listing, Operation
from fastflv.servers.api.paging import PAGE, rows_of
from fastflv.servers.api.schema import COUNT, FLAG, TEXT, about, listed, one_of, record

if TYPE_CHECKING:
    from fastflv.cluster.origins import Health
    from fastflv.cluster.pull import Pull
    from fastflv.cluster.pulls import Pulls

ORIGIN: Final = record(
    {
        "url": about(TEXT, "Scheme, host and port."),
        "up": about(FLAG, "Off: it failed, and has shown no life since; others are asked before it."),
        "fault": about(TEXT, "Why it counts as down; empty: it does not."),
        "streams": about(COUNT, "Those it brings at present."),
        "attempts": about(COUNT, "Connections since the start, redirected ones included."),
        "failures": about(COUNT, "Those that could not be made, or were lost."),
    }
)
PULL: Final = record(
    {
        "name": TEXT,
        "app": TEXT,
        "vhost": about(TEXT, "Name of the vhost."),
        "url": about(TEXT, "The stream, as in /api/v1/streams."),
        "state": one_of(*(state.value for state in PullState)),
        "origin": about(TEXT, "The one that brings it; empty where none does."),
        "from": about(TEXT, "Where it was fetched, behind redirects; secrets masked."),
        "switches": about(COUNT, "How often another connection went on."),
        "waiting": about(COUNT, "Viewers who wait for it."),
    }
)


class UpstreamRows:
    """The operations on what an edge fetches."""

    def __init__(self, pulls: Callable[[], Pulls | None]) -> None:
        """*pulls* returns None where nothing was ever fetched."""
        self._pulls = pulls

    def operations(self) -> Iterable[Operation]:
        return (
            Operation(
                "GET",
                "/api/v1/upstreams",
                "the origins that were asked for streams",
                self._list_origins,
                record({"upstreams": listed(ORIGIN), "total": COUNT}),
                PAGE,
            ),
            Operation(
                "GET",
                "/api/v1/pulls",
                "the streams that are fetched from origins",
                self._list_pulls,
                record({"pulls": listed(PULL), "total": COUNT}),
                PAGE,
            ),
        )

    def _list_origins(self, call: Call) -> Listing:
        pulls = self._pulls()
        origins = pulls.origins if pulls is not None else ()
        return Listing("upstreams", map(_origin, rows_of(call.request, origins)), len(origins))

    def _list_pulls(self, call: Call) -> Listing:
        pulls = self._pulls() or ()
        return Listing("pulls", map(_pull, rows_of(call.request, pulls)), len(pulls))


def _origin(health: Health) -> dict[str, object]:
    return {
        "url": str(health.address),
        "up": not health.fault,
        "fault": health.fault,
        "streams": health.streams,
        "attempts": health.attempts,
        "failures": health.failures,
    }


def _pull(pull: Pull) -> dict[str, object]:
    name, upstream = pull.name, pull.upstream
    return {
        "name": name.stream,
        "app": name.app,
        "vhost": name.vhost,
        "url": name.url,
        "state": pull.state.value,
        "origin": str(upstream.origin) if upstream is not None else "",
        "from": masked(upstream.url.shown) if upstream is not None else "",
        "switches": pull.switches,
        "waiting": pull.waiting,
    }
