"""`/api/v1/clients`: who is there, who waits, and who is gone."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final

from fastflv.access.request import Action, Role
from fastflv.config.masking import masked
from fastflv.protocols.http.message import Response
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
from fastflv.servers.api.schema import COUNT, FLAG, NUMBER, TEXT, about, nullable, one_of, record
from fastflv.stream.arrival import Arrival, ClientState
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.history import EndedClient

log = logging.getLogger(__name__)

UNKNOWN: Final = "Unknown"
"Kind of a client that has asked for nothing, as SRS says it."

ID: Final = Parameter("id", TEXT, "Id of a client.", in_path=True)
ENDED: Final = Parameter(
    "ended",
    one_of("0", "1"),
    "1: those that are gone, the newest first. 0, or without it: those that are there.",
)
PUBLISH: Final = Parameter(
    "publish", one_of("0", "1"), "1: publishers alone. 0: all others. Without it: all."
)

ASKED: Final = {
    "id": TEXT,
    "vhost": about(TEXT, "Id of the vhost; empty where none was asked for."),
    "ip": TEXT,
    "pageUrl": TEXT,
    "tcUrl": about(TEXT, "Secrets masked."),
    "url": about(TEXT, "Of the stream."),
    "name": TEXT,
    "type": about(TEXT, "`fmle-publish`, `flv-play`, `hls-play`, ...; `Unknown` before the first command."),
    "publish": FLAG,
}
STEPS: Final = {
    "lag_ms": about(COUNT, "How far a player is behind, ms."),
    "drops": about(COUNT, "How often pictures were left out for it."),
    "dropped": about(COUNT, "Pictures left out."),
    "jumps": about(COUNT, "How often it was moved on to a keyframe."),
    "waited_ms": about(COUNT, "From its request to its join: rules, and an absent stream."),
    "first_byte_ms": about(
        nullable(COUNT), "From its join to its first byte; null before it, or where nobody knows."
    ),
    "first_key_ms": about(nullable(COUNT), "Likewise to its first keyframe."),
}
CLIENT: Final = record(
    {
        **ASKED,
        "stream": about(TEXT, "Id of the stream; empty until it is found."),
        "swfUrl": TEXT,
        "state": one_of(*(state.value for state in ClientState)),
        "alive": about(NUMBER, "Seconds since it came or joined."),
        **TRAFFIC,
    },
    {**STEPS, "role": about(one_of(*(role.value for role in Role)), "Of a publisher.")},
)
GONE: Final = record(
    {
        **ASKED,
        "admitted": about(FLAG, "It has played or published."),
        "reason": about(TEXT, "Why it went."),
        "alive": about(NUMBER, "Seconds that it was there."),
        "ended_ms": about(COUNT, "Wall clock, ms since 1970."),
        "send_bytes": COUNT,
        "recv_bytes": COUNT,
    }
)

Vhosts = Mapping[str, VhostEntry]
Waiting = tuple[Arrival, float]


class ClientRows:
    """The operations on clients."""

    def __init__(self, census: Census) -> None:
        self._census = census

    def operations(self) -> Iterable[Operation]:
        absent = {CLIENT_NOT_FOUND: "no client has that id"}
        rows = {"type": "array", "items": {"anyOf": [CLIENT, GONE]}}
        return (
            Operation(
                "GET",
                "/api/v1/clients",
                "manage all clients or specified client, default query top 10 clients",
                self._list,
                record({"clients": rows, "total": COUNT}),
                (*PAGE, ENDED, PUBLISH),
            ),
            Operation(
                "DELETE",
                "/api/v1/clients",
                "names no client, and disconnects none",
                lambda call: refused(CLIENT_NOT_FOUND),
                codes={CLIENT_NOT_FOUND: "always"},
            ),
            Operation(
                "GET",
                "/api/v1/clients/{id}",
                "one client",
                self._show,
                record({"client": CLIENT}),
                (ID,),
                codes=absent,
            ),
            Operation(
                "DELETE",
                "/api/v1/clients/{id}",
                "disconnect a player or publisher, or refuse one that waits",
                self._drop,
                record({}),
                (ID,),
                codes=absent,
            ),
        )

    def _list(self, call: Call) -> Listing:
        clients, vhosts = self._census.clients, self._census.by_name()
        # Those by which servers fetch streams are left out of a list of all workers.
        between = call.request.peer.own
        if call.request.args.get("ended", "0") not in ("", "0"):
            history = [each for each in clients.history if not (between and each.own)]
            gone = rows_of(call.request, history)
            return Listing("clients", (_gone(each, vhosts) for each in gone), len(history))
        everyone: Iterable[Client | Waiting] = chain(clients, clients.arrivals)
        total = len(clients) + len(clients.arrivals)
        if between:
            everyone = [each for each in everyone if not _own(each)]
            total = len(everyone)
        wanted = call.request.args.get("publish", "")
        if wanted in ("0", "1"):
            everyone = [each for each in everyone if _publishes(each) is (wanted == "1")]
            total = len(everyone)
        found = rows_of(call.request, everyone)
        return Listing("clients", (self._row(each, vhosts) for each in found), total)

    def _find(self, call: Call) -> Client | Waiting | None:
        id = call.args["id"]
        return self._census.clients.find(id) or self._census.clients.arrivals.find(id)

    def _show(self, call: Call) -> Fields | Response:
        found = self._find(call)
        if found is None:
            return refused(CLIENT_NOT_FOUND)
        return {"client": self._row(found, self._census.by_name())}

    def _drop(self, call: Call) -> Fields | Response:
        found = self._find(call)
        if found is None:
            return refused(CLIENT_NOT_FOUND)
        client = found if isinstance(found, Client) else found[0]
        peer = call.request.peer
        of = f" of {client.request.url}" if client.request is not None else ""
        log.info("api: %s disconnects client %s%s", peer.ip, client.id, of, extra=peer.marks)
        client.drop(EndReason.KICKED)
        return {}

    def _row(self, found: Client | Waiting, vhosts: Vhosts) -> dict[str, object]:
        return self._client(found, vhosts) if isinstance(found, Client) else self._arrival(*found, vhosts)

    def _client(self, client: Client, vhosts: Vhosts) -> dict[str, object]:
        request = client.request
        return {
            "id": client.id,
            "vhost": _id_of(client.stream.name.vhost, vhosts),
            "stream": client.stream.id,
            "ip": request.peer.ip,
            "pageUrl": masked(request.page_url),
            "swfUrl": "",
            "tcUrl": masked(request.tc_url),
            "url": client.stream.name.url,
            "name": request.file or request.stream,
            "type": "worker-play" if request.own and not client.publish else request.output,
            "publish": client.publish,
            "state": client.state.value,
            "alive": round(self._census.clock() - client.joined, 2),
            **_player(client),
            **self._census.moved(client.id, client.received, client.sent, client.joined),
        }

    def _arrival(self, arrival: Arrival, since: float, vhosts: Vhosts) -> dict[str, object]:
        request = arrival.request
        return {
            "id": arrival.id,
            "vhost": _id_of(request.vhost, vhosts) if request is not None else "",
            "stream": "",
            "ip": arrival.peer.ip,
            "pageUrl": masked(arrival.page_url),
            "swfUrl": "",
            "tcUrl": masked(arrival.tc_url),
            "url": request.url if request is not None else "",
            "name": request.file or request.stream if request is not None else "",
            "type": request.output if request is not None else UNKNOWN,
            "publish": _publishes((arrival, since)),
            "state": arrival.state.value,
            "alive": round(self._census.clock() - since, 2),
            "send_bytes": 0,
            "recv_bytes": 0,
            "kbps": {"recv_30s": 0, "send_30s": 0},
        }


def _publishes(found: Client | Waiting) -> bool:
    """Whether a client publishes, or waits to."""
    request = found.request if isinstance(found, Client) else found[0].request
    return request is not None and request.action is Action.PUBLISH


def _own(found: Client | Waiting) -> bool:
    """Whether a server fetches a stream by it."""
    request = found.request if isinstance(found, Client) else found[0].request
    return request is not None and request.own


def _player(client: Client) -> dict[str, object]:
    """The fields of STEPS, or the role of a publisher."""
    player = client.player
    if player is None:
        return {"role": client.request.role.value}
    first, key = player.beginning
    return {
        **player.steps._asdict(),
        "waited_ms": _ms(client.joined - client.asked),
        "first_byte_ms": _ms(first - client.joined) if first > 0 else None,
        "first_key_ms": _ms(key - client.joined) if key > 0 else None,
    }


def _ms(seconds: float) -> int:
    return max(round(seconds * 1000), 0)


def _gone(ended: EndedClient, vhosts: Vhosts) -> dict[str, object]:
    return {
        "id": ended.id,
        "vhost": _id_of(ended.vhost, vhosts),
        "ip": ended.ip,
        "pageUrl": masked(ended.page_url),
        "tcUrl": masked(ended.tc_url),
        "url": ended.url,
        "name": ended.name,
        "type": ended.output or UNKNOWN,
        "publish": ended.publish,
        "admitted": ended.admitted,
        "reason": ended.reason,
        "alive": round(ended.seconds, 2),
        "ended_ms": int(ended.ended * 1000),
        "send_bytes": ended.sent,
        "recv_bytes": ended.received,
    }


def _id_of(name: str, vhosts: Vhosts) -> str:
    vhost = vhosts.get(name)
    return vhost.id if vhost is not None else ""
