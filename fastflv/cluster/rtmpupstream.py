"""Upstreams by RTMP: a client session whose media is that of a publication.

Spec: RTMP 1.0, 7.2.2 (play); SRS's edge: parameters stand behind the stream name, the vhost in tcUrl.
"""

from __future__ import annotations

import asyncio
import logging
import os

from fastflv import __version__
from fastflv._ext.ingest.lowwater import LowWater
from fastflv.cluster.address import OriginAddress, UpstreamUrl
from fastflv.cluster.upstream import Dialer, Fault, FaultKind, Upstream, UpstreamOwner
from fastflv.errors import PeerError
from fastflv.protocols.rtmp.client import ClientSession
from fastflv.protocols.rtmp.clientevents import ClientEvent, Connected, Ended, Failed, Redirected
from fastflv.protocols.rtmp.connectarguments import ConnectArguments
from fastflv.protocols.rtmp.events import DataArrived
from fastflv.servers.rtmp.feed import PublisherFeed
from fastflv.stream.publication import Publication

log = logging.getLogger(__name__)

ABSENT = ("NetStream.Play.StreamNotFound", "NetStream.Play.Stop", "NetStream.Play.UnpublishNotify")


class RtmpUpstream(Upstream):
    """Plays a stream of an RTMP server."""

    def __init__(
        self,
        dialer: Dialer,
        owner: UpstreamOwner,
        url: UpstreamUrl,
        origin: OriginAddress,
        hops: int = 0,
        *,
        upnode: bool = True,
        resumes: bool = False,
    ) -> None:
        """*upnode*: tell the origin about this server. *resumes*: players have the stream until now."""
        super().__init__(dialer, owner, url, origin, hops)
        arguments = ConnectArguments(
            tc_url=url.tc_url,
            app=url.app,
            flash_ver=f"fastflv/{__version__}",
            server=dialer.about if upnode else {},
            relay=True,
            resumes=resumes,
        )
        self._session = ClientSession(arguments, noise=os.urandom)
        self._session.on_data = self._take_data
        self._feed: PublisherFeed | None = None
        "Reads the socket in place of the transport, once the stream has a publication."

    def _connected(self) -> None:
        self._session.play(self.url.stream, self._collected)
        self._write(self._session.take_output())

    def _receive(self, data: memoryview) -> None:
        session = self._session
        session.now = self._dialer.loop.time()
        self._handle(session.receive(data))

    def _take(self, data: memoryview, at: int) -> None:
        self._session.now = self._dialer.loop.time()
        self._handle(self._session.receive_rest(data, at))

    def _handle(self, events: list[ClientEvent]) -> None:
        for event in events:
            self._look(event)
        self._write(self._session.take_output())

    def _take_data(self, event: DataArrived) -> None:
        self._script(event.name, event.timestamp, event.payload)

    def _look(self, event: ClientEvent) -> None:
        match event:
            case Connected():
                self._answered()
            case Redirected(url=url):
                self._over(Fault(FaultKind.MOVED, url))
            case Failed(code=code, description=description):
                kind = FaultKind.ABSENT if code in ABSENT else FaultKind.REFUSED
                self._over(Fault(kind, description or code or "the origin refuses"))
            case Ended():
                self._over(Fault(FaultKind.ABSENT, "the stream has ended at the origin"))

    # --- FedConnection ---

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    def take_rest(self, view: memoryview, at: int) -> None:
        publication = self._publication
        assert publication is not None
        publication.begin_read(self._dialer.loop.time())
        self._take(view, at)
        if not publication.ended:
            publication.end_read(inside=self._inside)

    def look(self) -> None:
        self._session.acknowledge()
        self._write(self._session.take_output())
        if self._publication is not None:
            self._publication.look()

    def fail(self, error: Exception) -> None:
        if not isinstance(error, PeerError):
            log.error("%s: a read failed", self.url.origin, exc_info=error)
        self._over(Fault(FaultKind.BROKEN, str(error)))

    def _open_feed(self, publication: Publication) -> LowWater | None:
        # Behind TLS the socket has records, not messages.
        feed = None if self.is_secure else self._dialer.feeding.open(self, self._session)
        if feed is None:
            return None
        self._feed = feed
        feed.begin(publication)
        feed.resume()
        return feed.low_water

    @property
    def _is_fed(self) -> bool:
        return self._feed is not None

    def _close_feed(self) -> None:
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.close()

    def _aim(self, publication: Publication) -> None:
        self._session.redirect_media(self.url.stream, publication.sink)

    def _ended(self) -> Fault:
        if not self.has_media:
            return Fault(FaultKind.CLOSED, "the origin closed the connection without media")
        return Fault(FaultKind.UNREACHABLE, "the connection to the origin was lost")

    @property
    def _inside(self) -> bool:
        return self._session.reader.inside
