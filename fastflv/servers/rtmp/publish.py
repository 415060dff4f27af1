"""One publish of an RTMP connection: from its command through the gate to its end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastflv.access.rules import Waiting
from fastflv.access.verdict import Allowed, Redirected, Refused, Verdict
from fastflv.errors import StreamBusyError
from fastflv.net.lowwater import LowWater
from fastflv.protocols.rtmp.events import DataArrived, PublishWanted
from fastflv.servers.rtmp.options import RtmpOptions
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.publication import Publication

if TYPE_CHECKING:
    from fastflv.servers.rtmp.connection import RtmpConnection

log = logging.getLogger(__name__)

DENIED = "NetStream.Publish.Denied"
BAD_NAME = "NetStream.Publish.BadName"


class RtmpPublish:
    """One publish on one message stream. A connection may have several."""

    __slots__ = ("_connection", "_options", "_waiting", "_wanted", "publication")

    def __init__(self, connection: RtmpConnection, wanted: PublishWanted, options: RtmpOptions) -> None:
        self._connection = connection
        self._wanted = wanted
        self._options = options
        self._waiting: Waiting | None = None
        self.publication: Publication | None = None
        "None until the gate has admitted it."

    @property
    def stream_id(self) -> int:
        return self._wanted.stream_id

    def begin(self, low_water: LowWater | None) -> None:
        """Ask the gate. *low_water*: of a plain socket that carries no other publish."""
        server = self._connection.server
        request = server.access_request(self._connection, self._wanted, self._options.vhost)
        name = StreamName(self._options.vhost, request.app, request.stream)

        def judged(verdict: Verdict) -> None:
            self._waiting = None
            if isinstance(verdict, Refused):
                log.info(
                    "publisher %s from %s of %s refused: %s",
                    request.client_id, request.peer.ip, name.url, verdict.reason,
                )  # fmt: skip
                self._connection.refuse_publish(self, DENIED, verdict.reason)
            elif isinstance(verdict, Redirected):
                self._connection.redirect_publish(self, verdict.url)
            else:
                # A reload may have come while the gate waited.
                options = server.vhost_of(name.vhost) or self._options
                try:
                    self.publication = server.publications.begin(
                        name, options.publish, request, self, low_water
                    )
                except StreamBusyError as error:
                    log.info("rtmp %s: %s", request.peer.ip, error)
                    self._connection.refuse_publish(self, BAD_NAME, error.detail)
                else:
                    self._connection.accept_publish(self, self.publication)

        verdict = server.joins.gate.admit(request, judged)
        if isinstance(verdict, Allowed | Refused | Redirected):
            judged(verdict)
        else:
            self._waiting = verdict

    def take_script(self, event: DataArrived) -> None:
        """Take script data in its place among the media."""
        if self.publication is not None:
            self.publication.take_script(event.name, event.payload, event.timestamp)

    def end(self, reason: EndReason) -> None:
        """End the publish, or take back its request."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
        if self.publication is not None:
            self.publication.end(reason)

    # --- Source ---

    @property
    def sent(self) -> int:
        return self._connection.sent

    def publication_dropped(self, publication: Publication, reason: EndReason) -> None:
        publication.end(reason)
        self._connection.drop_publish(self, reason)
