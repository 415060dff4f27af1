"""Publishing by HTTP: the body of a POST or PUT on the URL of an FLV mount becomes a stream.

    ffmpeg -re -i clip.mp4 -c copy -f flv http://host:8080/live/livestream.flv

Spec: Adobe FLV v10.1, E.2 to E.4 (the body); RFC 9110, 9.3.3 and 10.1.1 (POST, Expect).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from fastflv._ext.ingest.tagread import TagReader
from fastflv.access.request import Action
from fastflv.containers.flv.metadata import script_name
from fastflv.errors import PeerError
from fastflv.net.turns import Turns
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.protocols.messagebudget import MessageBudget
from fastflv.servers.http.accessrequest import access_request
from fastflv.servers.http.refusal import publish_refusal
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.pendingpublish import PendingPublish, PublishRefused
from fastflv.stream.publication import Publication, Publications, PublishOptions

log = logging.getLogger(__name__)

DROPPED: Final = {EndReason.SILENT: 408, EndReason.SERVER_STOPS: 503}
"Status by the reason for which the server ends a publish; 403 for any other."


class Push:
    """All publishing over HTTP."""

    def __init__(
        self,
        publications: Publications,
        *,
        turns: Turns,
        vhost_of: Callable[[str], PublishOptions],
        new_id: Callable[[], str],
    ) -> None:
        """*vhost_of*: the present options of a vhost by its own name."""
        self.publications = publications
        self.turns = turns
        self.vhost_of = vhost_of
        self.new_id = new_id

    def handle(self, exchange: Exchange, name: StreamName) -> None:
        """Publish the body of a request as the stream *name*."""
        HttpPublish(self, exchange, name).begin()


class HttpPublish:
    """One publish: the source of a publication, and the sink of a body.

    The body is not read before the gate has admitted the publish, so a client that expects `100 Continue` gets it
    then, and any other client waits in its socket.
    """

    __slots__ = ("_budget", "_exchange", "_name", "_pending", "_publication", "_push", "_reader", "_rest")

    def __init__(self, push: Push, exchange: Exchange, name: StreamName) -> None:
        self._push = push
        self._exchange = exchange
        self._name = name
        self._reader = TagReader()
        self._budget = MessageBudget()
        self._rest: bytes | None = None
        "What stands behind script data that waits for a turn of the loop; None: nothing waits."
        self._publication: Publication | None = None
        self._pending: PendingPublish | None = PendingPublish(
            push.publications,
            access_request(
                exchange.request, Action.PUBLISH, name, "flv-publish", exchange.scheme, push.new_id()
            ),
            name,
            self,
            options=lambda: push.vhost_of(name.vhost),
            admitted=self._admitted,
            refused=self._refused,
        )

    def begin(self) -> None:
        """Ask the gate. Call it once."""
        assert self._pending is not None
        self._exchange.on_lost = self._lost
        self._pending.begin()

    def _admitted(self, publication: Publication) -> None:
        self._pending = None
        self._publication = publication
        self._reader.sink = publication.sink
        # The publication watches for silence itself.
        self._exchange.read(self, idle=None)

    def _refused(self, refused: PublishRefused) -> None:
        self._pending = None
        self._answer(publish_refusal(refused, self._name.url))

    # --- BodySink ---

    def data(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self._take(chunk, fresh=True)

    def _take(self, chunk: bytes, *, fresh: bool) -> None:
        """Take *chunk*. *fresh* off: what is in the reader's message stands before it."""
        publication = self._publication
        if publication is None or publication.ended:
            return
        now = self._push.publications.timers.time()
        publication.begin_read(now)
        reader = self._reader
        try:
            at = reader.feed(chunk) if fresh else 0
            while reader.message is not None:
                if not self._push.turns.open():
                    self._rest = chunk[at:]
                    self._exchange.pause()
                    self._push.turns.queue(self._go_on)
                    break
                _, timestamp, body = reader.message
                self._budget.spend(len(body), now)
                name = script_name(body)
                if name:
                    publication.take_script(name, body, timestamp)
                at = reader.feed(chunk, at)
        except PeerError as error:
            self._refuse_body(publication, str(error))
            return
        publication.end_read(now)

    def _go_on(self) -> None:
        rest, self._rest = self._rest, None
        assert rest is not None
        self._take(rest, fresh=False)
        if self._rest is None:
            self._exchange.resume()

    def ended(self, whole: bool) -> None:
        """The body has ended, or was cut."""
        publication = self._publication
        if publication is None or publication.ended:
            return
        if not whole:
            publication.end(EndReason.PEER_CLOSED)
        elif not self._reader.has_header:
            self._refuse_body(publication, "the body ends before its FLV header does")
        else:
            publication.end(EndReason.STOPPED)
            self._answer(Response.of_text(200, "published"))

    def _refuse_body(self, publication: Publication, reason: str) -> None:
        ip = self._exchange.request.ip
        log.info("http %s: publish of %s refused: %s", ip, self._name.url, reason, extra={"peer": ip})
        publication.end(EndReason.PROTOCOL)
        self._answer(Response.of_text(400, reason))

    # --- Source ---

    @property
    def sent(self) -> int:
        return 0

    def publication_dropped(self, publication: Publication, reason: EndReason) -> None:
        publication.end(reason)
        self._answer(Response.of_text(DROPPED.get(reason, 403), f"the publish is over: {reason}"))

    def _answer(self, response: Response) -> None:
        self._exchange.on_lost = None
        response.headers["Connection"] = "close"
        self._exchange.respond(response)

    def _lost(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()
        if self._publication is not None:
            self._publication.end(EndReason.PEER_CLOSED)
