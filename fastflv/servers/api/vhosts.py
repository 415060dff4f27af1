"""`/api/v1/vhosts`: the configured vhosts, disabled ones too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fastflv.protocols.http.message import Response
from fastflv.servers.api.census import TRAFFIC, Census, VhostEntry
from fastflv.servers.api.operation import (
    VHOST_NOT_FOUND,
    Call,
    Fields,
    Operation,
    Parameter,
    refused,
)
from fastflv.servers.api.sample import Traffic
from fastflv.servers.api.schema import COUNT, FLAG, NUMBER, TEXT, about, listed, record

ID: Final = Parameter("id", TEXT, "Id of a vhost.", in_path=True)

VHOST: Final = record(
    {
        "id": TEXT,
        "name": TEXT,
        "enabled": FLAG,
        "clients": COUNT,
        "streams": COUNT,
        **TRAFFIC,
        "auth": about(listed(TEXT), "What needs a token: `publish`, `play`, `record`."),
        "timeshift": about(NUMBER, "How much of the past of its streams is kept, seconds; 0: nothing."),
        "hls": record({"enabled": FLAG}, {"fragment": about(NUMBER, "Length of segments, seconds.")}),
    }
)


class Vhosts:
    """The operations on vhosts."""

    def __init__(self, census: Census) -> None:
        self._census = census

    def operations(self) -> Iterable[Operation]:
        return (
            Operation(
                "GET",
                "/api/v1/vhosts",
                "manage all vhosts or specified vhost",
                self._list,
                record({"vhosts": listed(VHOST)}),
            ),
            Operation(
                "GET",
                "/api/v1/vhosts/{id}",
                "one vhost",
                self._show,
                record({"vhost": VHOST}),
                (ID,),
                codes={VHOST_NOT_FOUND: "no vhost has that id"},
            ),
        )

    def _list(self, call: Call) -> Fields:
        traffic = self._census.traffic()
        return {"vhosts": [self._row(entry, traffic) for entry in self._census.vhosts()]}

    def _show(self, call: Call) -> Fields | Response:
        for entry in self._census.vhosts():
            if entry.id == call.args["id"]:
                return {"vhost": self._row(entry, self._census.traffic())}
        return refused(VHOST_NOT_FOUND)

    def _row(self, entry: VhostEntry, traffic: Traffic) -> dict[str, object]:
        received, sent = traffic.vhost_received[entry.name], traffic.vhost_sent[entry.name]
        hls = {"enabled": False} if entry.fragment is None else {"enabled": True, "fragment": entry.fragment}
        return {
            "id": entry.id,
            "name": entry.name,
            "enabled": entry.enabled,
            "clients": traffic.vhost_clients[entry.name],
            "streams": traffic.vhost_streams[entry.name],
            **self._census.moved(entry.id, received, sent, self._census.started),
            "auth": list(entry.auth),
            "timeshift": entry.timeshift,
            "hls": hls,
        }
