"""SRS's HTTP API, as far as running the main job needs it: versions, summaries, vhosts, streams, clients.

Errors are in `code` with HTTP status 200, as SRS answers; numbers are its own.
"""

from __future__ import annotations

import base64
import hmac
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import TypeVar

from fastflv import __version__
from fastflv.access.request import Action
from fastflv.config.model.server import Stats
from fastflv.config.model.webserver import ApiAuth
from fastflv.media import trackinfo as tracks
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.peertext import masked
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.api import machine
from fastflv.servers.api.disks import DiskMeter
from fastflv.servers.api.paging import page_of
from fastflv.servers.api.rate import Rates
from fastflv.servers.api.sample import Sample, Traffic, take_traffic
from fastflv.stream.arrival import Arrival
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason
from fastflv.stream.history import EndedClient
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Phase, Stream

log = logging.getLogger(__name__)

Row = TypeVar("Row")

VHOST_NOT_FOUND, STREAM_NOT_FOUND, CLIENT_NOT_FOUND = 2014, 2048, 2049

UNKNOWN = "Unknown"
"Kind of a client that has asked for nothing, as SRS says it."

URLS = {
    "versions": "the version of fastflv",
    "summaries": "the summary(pid, argv, pwd, cpu, mem) of fastflv",
    "vhosts": "manage all vhosts or specified vhost",
    "streams": "manage all streams or specified stream",
    "clients": "manage all clients or specified client, default query top 10 clients",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """How this process names itself in every answer."""

    server: str
    "Of the installation: `server_id`, or made once and kept beside the pid file."

    service: str
    "Of this process, new with each start."


@dataclass(frozen=True, slots=True)
class VhostEntry:
    """A vhost as the API shows it."""

    id: str
    name: str
    enabled: bool
    fragment: float | None = None
    "Length of HLS segments, seconds; None: HLS is off."

    parse_sps: bool = True
    "Show what a sequence header says of a picture (`publish { parse_sps }`)."


class Api:
    """Answers /api/ requests."""

    def __init__(
        self,
        hub: Hub,
        clients: Clients,
        connection_limit: ConnectionLimit,
        *,
        identity: Identity,
        vhosts: Callable[[], list[VhostEntry]],
        clock: Callable[[], float],
        metrics: Callable[[Exchange], None],
        auth: Callable[[], ApiAuth] = ApiAuth,
        stats: Callable[[], Stats] = Stats,
    ) -> None:
        """*metrics* answers `/metrics`. *auth* and *stats* return the settings in force."""
        self._hub = hub
        self._clients = clients
        self._connection_limit = connection_limit
        self._identity = identity
        self._vhosts = vhosts
        self._clock = clock
        self._started = clock()
        self._rates = Rates()
        self._cpu = machine.CpuMeter()
        self._disks = DiskMeter()
        self._stats = stats
        self._checked: Stats | None = None
        self._auth = auth
        self._traffic = Sample(lambda: take_traffic(hub, clients))
        self._summary = Sample(self._take_summary)
        self._metrics = metrics

    def handle(self, exchange: Exchange) -> None:
        """Answer a request whose path is one of the API."""
        request = exchange.request
        if request.path.strip("/") == "metrics" and self.authorise(request) is None:
            self._metrics(exchange)
        else:
            exchange.respond(self._answer(request))

    def _answer(self, request: Request) -> Response:
        refused = self.authorise(request)
        if refused is not None:
            return refused
        parts = request.path.strip("/").split("/")
        match parts:
            case [""]:
                return self._get(request, {"urls": {"api": "the api root"}})
            case ["api"]:
                return self._get(request, {"urls": {"v1": "the api version 1.0"}})
            case ["api", "v1"]:
                return self._get(request, {"urls": URLS})
            case ["api", "v1", "versions"]:
                return self._get(request, {"data": _version()})
            case ["api", "v1", "summaries"]:
                return self._get(request, {"data": self._summary()})
            case ["api", "v1", "vhosts", *rest] if len(rest) <= 1:
                return self._show_vhosts(request, *rest)
            case ["api", "v1", "streams", *rest] if len(rest) <= 1:
                return self._show_streams(request, *rest)
            case ["api", "v1", "clients", *rest] if len(rest) <= 1:
                return self._show_clients(request, *rest)
        return Response.of_text(404)

    # --- answers ---

    def authorise(self, request: Request) -> Response | None:
        """Return the refusal of a request without the password of `http_api { auth }`; None: it may go on."""
        auth = self._auth()
        if not auth.enabled:
            return None
        secret = f"{auth.username}:{auth.password}".encode()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(token.strip(), validate=True)
        except ValueError:
            given = b""
        if scheme.lower() == "basic" and hmac.compare_digest(given, secret):
            return None
        return Response.of_text(401, WWW_Authenticate='Basic realm="fastflv"')

    def _reply(self, fields: dict[str, object]) -> Response:
        envelope = {
            "code": 0,
            "server": self._identity.server,
            "service": self._identity.service,
            "pid": str(os.getpid()),
        }
        return Response.of_json(envelope | fields)

    def _get(self, request: Request, fields: dict[str, object]) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response.of_text(405, Allow="GET, HEAD, OPTIONS")
        return self._reply(fields)

    def _show_vhosts(self, request: Request, id: str = "") -> Response:
        traffic = self._traffic()
        if not id:
            return self._get(request, {"vhosts": [self._vhost(entry, traffic) for entry in self._vhosts()]})
        entry = next((entry for entry in self._vhosts() if entry.id == id), None)
        if entry is None:
            return Response.of_json({"code": VHOST_NOT_FOUND})
        return self._get(request, {"vhost": self._vhost(entry, traffic)})

    def _show_streams(self, request: Request, id: str = "") -> Response:
        if not id:
            rows = _page(request, self._hub)
            vhosts, traffic = self._entries(), self._traffic()
            return self._get(
                request,
                {"streams": [self._stream(s, vhosts, traffic) for s in rows], "total": len(self._hub)},
            )
        stream = next((stream for stream in self._hub if stream.id == id), None)
        if stream is None:
            return Response.of_json({"code": STREAM_NOT_FOUND})
        return self._get(request, {"stream": self._stream(stream, self._entries(), self._traffic())})

    def _show_clients(self, request: Request, id: str = "") -> Response:
        if request.method == "DELETE":
            found = self._clients.find(id) or self._clients.arrivals.find(id)
            if found is None:
                return Response.of_json({"code": CLIENT_NOT_FOUND})
            log.info("api: %s disconnects client %s", request.ip, id, extra=request.peer.marks)
            (found if isinstance(found, Client) else found[0]).drop(EndReason.KICKED)
            return self._reply({})
        vhosts = self._entries()
        if not id and request.args.get("ended", "0") not in ("", "0"):
            gone = [_gone(each, vhosts) for each in _page(request, self._clients.history)]
            return self._get(request, {"clients": gone, "total": len(self._clients.history)})
        if not id:
            everyone = chain[Client | tuple[Arrival, float]](self._clients, self._clients.arrivals)
            rows = _page(request, everyone)
            total = len(self._clients) + len(self._clients.arrivals)
            return self._get(request, {"clients": [self._listed(c, vhosts) for c in rows], "total": total})
        found = self._clients.find(id) or self._clients.arrivals.find(id)
        if found is None:
            return Response.of_json({"code": CLIENT_NOT_FOUND})
        return self._get(request, {"client": self._listed(found, vhosts)})

    # --- objects ---

    def _take_summary(self) -> dict[str, object]:
        traffic = self._traffic()
        stats = self._stats()
        if stats != self._checked:
            self._checked = stats
            for sentence in machine.absent(stats):
                log.warning("%s; its counters stay 0", sentence)
        return machine.summary(
            self._cpu,
            self._disks,
            stats,
            version=__version__,
            uptime=self._clock() - self._started,
            received=traffic.received,
            sent=traffic.sent,
            connections=self._connection_limit.taken,
        )

    def _vhost(self, entry: VhostEntry, traffic: Traffic) -> dict[str, object]:
        received, sent = traffic.vhost_received[entry.name], traffic.vhost_sent[entry.name]
        return {
            "id": entry.id,
            "name": entry.name,
            "enabled": entry.enabled,
            "clients": traffic.vhost_clients[entry.name],
            "streams": traffic.vhost_streams[entry.name],
            "send_bytes": sent,
            "recv_bytes": received,
            "kbps": self._kbps(entry.id, received, sent, self._started),
            "hls": {"enabled": False}
            if entry.fragment is None
            else {"enabled": True, "fragment": entry.fragment},
        }

    def _entries(self) -> dict[str, VhostEntry]:
        """Vhosts by name."""
        return {entry.name: entry for entry in self._vhosts()}

    def _stream(
        self, stream: Stream, vhosts: Mapping[str, VhostEntry], traffic: Traffic
    ) -> dict[str, object]:
        writer = stream.writer
        sent = traffic.stream_sent[stream.id]
        publisher = self._clients.find(stream.publisher_id)
        vhost = vhosts.get(stream.name.vhost)
        return {
            "id": stream.id,
            "name": stream.name.stream,
            "vhost": vhost.id if vhost is not None else "",
            "app": stream.name.app,
            "tcUrl": masked(publisher.request.tc_url) if publisher else "",
            "url": stream.name.url,
            "live_ms": machine.now_ms(),
            "clients": self._clients.count(stream),
            "frames": writer.video_tags,
            "audio_frames": writer.audio_tags,
            "video_frames": writer.video_tags,
            "send_bytes": sent,
            "recv_bytes": writer.bytes,
            "kbps": self._kbps(stream.id, writer.bytes, sent, stream.began),
            "publish": {
                "active": stream.phase is Phase.LIVE,
                "cid": stream.publisher_id,
                "state": stream.phase.value,
            },
            "video": _video(stream, parsed=vhost is None or vhost.parse_sps),
            "audio": _audio(stream),
        }

    def _listed(
        self, found: Client | tuple[Arrival, float], vhosts: Mapping[str, VhostEntry]
    ) -> dict[str, object]:
        return self._client(found, vhosts) if isinstance(found, Client) else self._arrival(*found, vhosts)

    def _arrival(self, arrival: Arrival, since: float, vhosts: Mapping[str, VhostEntry]) -> dict[str, object]:
        request = arrival.request
        vhost = vhosts.get(request.vhost) if request is not None else None
        return {
            "id": arrival.id,
            "vhost": vhost.id if vhost is not None else "",
            "stream": "",
            "ip": arrival.peer.ip,
            "pageUrl": masked(arrival.page_url),
            "swfUrl": "",
            "tcUrl": masked(arrival.tc_url),
            "url": StreamName(request.vhost, request.app, request.stream).url if request is not None else "",
            "name": request.file or request.stream if request is not None else "",
            "type": request.output if request is not None else UNKNOWN,
            "publish": request is not None and request.action is Action.PUBLISH,
            "state": arrival.state.value,
            "alive": round(self._clock() - since, 2),
            "send_bytes": 0,
            "recv_bytes": 0,
            "kbps": {"recv_30s": 0, "send_30s": 0},
        }

    def _client(self, client: Client, vhosts: Mapping[str, VhostEntry]) -> dict[str, object]:
        vhost = vhosts.get(client.stream.name.vhost)
        sent, received = client.sent, client.received
        now = self._clock()
        return {
            "id": client.id,
            "vhost": vhost.id if vhost is not None else "",
            "stream": client.stream.id,
            "ip": client.request.peer.ip,
            "pageUrl": masked(client.request.page_url),
            "swfUrl": "",
            "tcUrl": masked(client.request.tc_url),
            "url": client.stream.name.url,
            "name": client.request.file or client.request.stream,
            "type": client.request.output,
            "publish": client.publish,
            "state": client.state.value,
            "alive": round(now - client.joined, 2),
            **({} if client.publish else client.steps._asdict()),
            "send_bytes": sent,
            "recv_bytes": received,
            "kbps": self._kbps(client.id, received, sent, client.joined),
        }

    def _kbps(self, id: str, received: int, sent: int, since: float) -> dict[str, int]:
        now = self._clock()
        return {
            "recv_30s": self._rates.kbps((id, "recv"), received, since, now),
            "send_30s": self._rates.kbps((id, "send"), sent, since, now),
        }


def _gone(ended: EndedClient, vhosts: Mapping[str, VhostEntry]) -> dict[str, object]:
    vhost = vhosts.get(ended.vhost)
    return {
        "id": ended.id,
        "vhost": vhost.id if vhost is not None else "",
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


def _video(stream: Stream, *, parsed: bool) -> dict[str, object] | None:
    writer, said = stream.writer, stream.metadata
    if not writer.has_video:
        return None
    width, height = (
        int(value) if isinstance(value, float) and 0 < value < 65536 else 0
        for value in (said.get("width"), said.get("height"))
    )
    return tracks.describe_video(writer.video_codec, writer.config(9) if parsed else None, width, height)


def _audio(stream: Stream) -> dict[str, object] | None:
    writer = stream.writer
    if not writer.has_audio:
        return None
    return tracks.describe_audio(writer.audio_codec, writer.config(8), (writer.audio_head or b"\0")[0])


def _version() -> dict[str, object]:
    major, minor, revision = (int(part) for part in __version__.split(".")[:3])
    return {"major": major, "minor": minor, "revision": revision, "version": __version__}


def _page(request: Request, rows: Iterable[Row]) -> list[Row]:
    """Return the rows that `start` and `count` choose."""
    start, count = page_of(request)
    return list(islice(rows, start, start + count))
