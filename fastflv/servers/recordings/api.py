"""The recording API: which request a path and a method are, the password, and the consent of the gate."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from fastflv.access.gate import Gate
from fastflv.access.request import Action
from fastflv.access.verdict import Allowed, Redirected, Refused, Verdict
from fastflv.playing.join import REFUSALS, JoinFailure
from fastflv.protocols.http.exchange import Exchange
from fastflv.servers.api.guard import ApiGuard
from fastflv.servers.api.operation import Call
from fastflv.servers.api.table import Table
from fastflv.servers.http.accessrequest import access_request
from fastflv.servers.http.refusal import STATUS, as_refusal
from fastflv.servers.http.router import refuse_path
from fastflv.servers.recordings.files import RecordingFiles
from fastflv.servers.recordings.request import RecordRequest, RecordSite, refusal
from fastflv.servers.recordings.rows import FILE, STREAM, Act, operations
from fastflv.servers.recordings.streams import RecordedStreams
from fastflv.stream.name import StreamName, fault_of

log = logging.getLogger(__name__)


class RecordApi:
    """Answers requests of routes of the kind RECORD. Its rows stand in the table of the API too, for the document."""

    def __init__(
        self,
        gate: Gate,
        streams: RecordedStreams,
        files: RecordingFiles,
        *,
        guard: ApiGuard,
        site_of: Callable[[str], RecordSite | None],
    ) -> None:
        """*guard*: of the API. *site_of*: None: no vhost serves that host."""
        self.table = Table()
        self._gate = gate
        self._guard = guard
        self._site_of = site_of
        self.table.add(*operations(streams, files, lambda act: partial(self._ask, act)))

    def handle(self, exchange: Exchange) -> None:
        """Answer, at once or later."""
        request = exchange.request
        resource = self.table.find(request.path)
        operation = resource.operation(request.method) if resource is not None else None
        refused = self._guard.refusal(request, operation)
        if refused is not None:
            exchange.respond(refused)
        elif resource is None:
            exchange.respond(refusal(404))
        elif operation is None:
            allow = resource.allow
            exchange.respond(refusal(405, f"{request.method} is none of {allow}", Allow=allow))
        else:
            operation.handler(Call(exchange, resource.args))

    def _ask(self, act: Act, call: Call) -> None:
        """Ask the gate about the stream or the file that a call names, then act."""
        site = self._site_of(call.request.vhost)
        file = call.args.get(FILE.name, "")
        app, _, stream = call.args.get(STREAM.name, file).rpartition("/")
        stream = stream.partition(".")[0] if file else stream.removesuffix(".flv")
        fault = "" if file else fault_of(app) or fault_of(stream)
        if site is None:
            refuse_path(call.exchange)
        elif STREAM.name in call.args and not app:
            call.exchange.respond(refusal(404))
        elif fault:
            call.exchange.respond(refusal(400, f"a name {fault}"))
        else:
            self._admit(
                RecordRequest(call.exchange, site, StreamName(site.vhost, app.strip("/"), stream), file), act
            )

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
