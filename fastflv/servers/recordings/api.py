"""The recording API: which request a path and a method are, the password, and the consent of the gate."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

from fastflv.access.gate import Gate
from fastflv.access.request import Action
from fastflv.access.verdict import Allowed, Redirected, Refused, Verdict
from fastflv.playing.join import REFUSALS, JoinFailure
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.http.accessrequest import access_request
from fastflv.servers.http.refusal import STATUS, as_refusal
from fastflv.servers.http.router import refuse_path
from fastflv.servers.recordings.files import RecordingFiles
from fastflv.servers.recordings.request import RecordRequest, RecordSite, refusal
from fastflv.servers.recordings.streams import RecordedStreams
from fastflv.stream.name import StreamName, fault_of

log = logging.getLogger(__name__)

Act = Callable[[RecordRequest], None]
"Answers a request that the gate has admitted, at once or later."


class Resource(NamedTuple):
    """What a path names."""

    acts: Mapping[str, Act]
    "By method; GET is HEAD too."
    app: str = ""
    stream: str = ""
    file: str = ""
    "Its path, relative to `record_path`."


class RecordApi:
    """Answers requests of routes of the kind RECORD."""

    def __init__(
        self,
        gate: Gate,
        streams: RecordedStreams,
        files: RecordingFiles,
        *,
        authorise: Callable[[Request], Response | None],
        site_of: Callable[[str], RecordSite | None],
    ) -> None:
        """*authorise*: the refusal of a request without the password of the API. *site_of*: None: no vhost serves that host."""
        self._gate = gate
        self._authorise = authorise
        self._site_of = site_of
        self._list: Mapping[str, Act] = {"GET": files.show}
        self._file: Mapping[str, Act] = {"GET": files.send, "DELETE": files.remove}
        self._verbs: Mapping[str, Mapping[str, Act]] = {
            "start": {"POST": streams.start},
            "stop": {"POST": streams.stop},
            "status": {"GET": streams.status},
        }

    def handle(self, exchange: Exchange, vhost: str) -> None:
        """Answer, at once or later. *vhost*: that of the port; empty: the one that the request names."""
        unauthorised = self._authorise(exchange.request)
        site = self._site_of(vhost or exchange.request.vhost)
        if unauthorised is not None:
            exchange.respond(unauthorised)
        elif site is None:
            refuse_path(exchange)
        else:
            self._route(exchange, site)

    def _route(self, exchange: Exchange, site: RecordSite) -> None:
        method = exchange.request.method
        found = self._find(exchange.request.path)
        if found is None:
            exchange.respond(refusal(404))
            return
        act = found.acts.get("GET" if method == "HEAD" else method)
        fault = "" if found.file else fault_of(found.app) or fault_of(found.stream)
        if act is None:
            allow = ", ".join((*found.acts, *(("HEAD",) if "GET" in found.acts else ()), "OPTIONS"))
            exchange.respond(refusal(405, f"{method} is none of {allow}", Allow=allow))
        elif fault:
            exchange.respond(refusal(400, f"a name {fault}"))
        else:
            name = StreamName(site.vhost, found.app, found.stream)
            self._admit(RecordRequest(exchange, site, name, found.file), act)

    def _find(self, path: str) -> Resource | None:
        match path.strip("/").split("/"):
            case ["flv", "record", "list"] | ["api", "v1", "recordings"]:
                return Resource(self._list)
            case ["flv", "record", ("start" | "stop" | "status") as verb, *app, stream] if any(app):
                return Resource(self._verbs[verb], "/".join(app).strip("/"), stream.removesuffix(".flv"))
            case ["api", "v1", "recordings", *folder, file]:
                return Resource(
                    self._file, "/".join(folder), file.partition(".")[0], "/".join((*folder, file))
                )
        return None

    def _admit(self, request: RecordRequest, act: Act) -> None:
        """Ask the gate, then act."""
        exchange = request.exchange
        asked = access_request(exchange.request, Action.RECORD, request.name, "record", exchange.scheme)

        def judged(verdict: Verdict) -> None:
            exchange.on_lost = None
            if isinstance(verdict, Allowed):
                act(request)
            else:
                _refuse(exchange, verdict)

        verdict = self._gate.admit(asked, judged)
        if isinstance(verdict, Verdict):
            judged(verdict)
        else:
            exchange.on_lost = verdict.cancel


def _refuse(exchange: Exchange, verdict: Refused | Redirected) -> None:
    if isinstance(verdict, Refused):
        failure, reason = REFUSALS[verdict.kind], verdict.reason
    else:
        failure, reason = JoinFailure.FORBIDDEN, "the stream is recorded elsewhere"
    peer = exchange.request.peer
    log.info("record request from %s refused: %s", peer.ip, reason, extra=peer.marks)
    exchange.respond(as_refusal(refusal(STATUS[failure], reason)))
