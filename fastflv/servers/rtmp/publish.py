"""One publish of an RTMP connection: from its command through the gate to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflv._ext.ingest.lowwater import LowWater
from fastflv.access.request import AccessRequest
from fastflv.protocols.rtmp.events import DataArrived, PublishWanted
from fastflv.servers.rtmp.options import RtmpOptions
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.pendingpublish import PendingPublish, PublishFailure, PublishRefused
from fastflv.stream.publication import Publication, PublishOptions
from fastflv.stream.stream import Stream

if TYPE_CHECKING:
    from fastflv.servers.rtmp.connection import RtmpConnection
    from fastflv.servers.rtmp.publishes import Publishes

DENIED = "NetStream.Publish.Denied"
BAD_NAME = "NetStream.Publish.BadName"
CODES = {PublishFailure.BUSY: BAD_NAME}
"Codes of `onStatus` by what went wrong; DENIED for all others."


class RtmpPublish:
    """One publish on one message stream. A connection may have several; *publishes* holds it before `begin`."""

    __slots__ = ("_connection", "_options", "_pending", "_publishes", "_wanted", "publication")

    def __init__(
        self,
        connection: RtmpConnection,
        publishes: Publishes,
        wanted: PublishWanted,
        options: RtmpOptions,
        low_water: LowWater | None,
    ) -> None:
        """*low_water*: of a plain socket that carries no other publish."""
        server = connection.server
        request = server.access_request(connection, wanted, options.vhost)
        self._connection = connection
        self._publishes = publishes
        self._wanted = wanted
        self._options = options
        self.publication: Publication | None = None
        "None until the gate has admitted it."
        self._pending: PendingPublish | None = PendingPublish(
            server.publications,
            request,
            StreamName(options.vhost, request.app, request.stream),
            self,
            options=self._present_options,
            admitted=self._admitted,
            refused=self._refused,
            low_water=low_water,
        )

    @property
    def stream_id(self) -> int:
        return self._wanted.stream_id

    def begin(self) -> None:
        """Ask the gate. Call it once."""
        assert self._pending is not None
        self._pending.begin()

    def resume(
        self,
        stream: Stream,
        request: AccessRequest,
        low_water: LowWater | None,
        *,
        bytes_before: int,
        joined: float,
    ) -> Publication:
        """Go on with a publish that another process has handed over, in place of `begin`."""
        self._pending = None
        self.publication = self._connection.server.publications.resume(
            stream, self._present_options(), request, self, low_water, joined
        )
        self.publication.resume(bytes_before)
        return self.publication

    @property
    def connection(self) -> RtmpConnection:
        return self._connection

    @property
    def wanted(self) -> PublishWanted:
        """As the publisher asked."""
        return self._wanted

    @property
    def vhost(self) -> str:
        """Name of the configured vhost."""
        return self._options.vhost

    def take_script(self, event: DataArrived) -> None:
        """Take script data in its place among the media."""
        if self.publication is not None:
            self.publication.take_script(event.name, event.payload, event.timestamp)

    def end(self, reason: EndReason) -> None:
        """End the publish, or take back its request."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()
        if self.publication is not None:
            self.publication.end(reason)

    def _present_options(self) -> PublishOptions:
        vhost = self._options.vhost
        return (self._connection.server.vhost_of(vhost) or self._options).publish

    def _admitted(self, publication: Publication) -> None:
        self._pending = None
        self.publication = publication
        self._publishes.accept(self, publication)

    def _refused(self, refused: PublishRefused) -> None:
        self._pending = None
        if refused.failure is PublishFailure.REDIRECTED:
            self._publishes.redirect(self, refused.reason)
        else:
            self._publishes.refuse(self, CODES.get(refused.failure, DENIED), refused.reason)

    # --- Source ---

    @property
    def sent(self) -> int:
        return self._connection.sent

    def publication_dropped(self, publication: Publication, reason: EndReason) -> None:
        publication.end(reason)
        self._publishes.drop(self, reason)
