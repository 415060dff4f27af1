"""Upstreams by RTMP: a client session whose media is that of a publication.

Spec: RTMP 1.0, 7.2.2 (play); SRS's edge: parameters stand behind the stream name, the vhost in tcUrl.
"""

from __future__ import annotations

import os

from fastflv import __version__
from fastflv.cluster.address import OriginAddress, UpstreamUrl
from fastflv.cluster.upstream import Dialer, Fault, FaultKind, Upstream, UpstreamOwner
from fastflv.protocols.rtmp.client import ClientSession
from fastflv.protocols.rtmp.clientevents import ClientEvent, Connected, Ended, Failed, Redirected
from fastflv.protocols.rtmp.connectarguments import ConnectArguments
from fastflv.protocols.rtmp.events import DataArrived
from fastflv.stream.publication import Publication

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
    ) -> None:
        """*upnode*: tell the origin about this server."""
        super().__init__(dialer, owner, url, origin, hops)
        arguments = ConnectArguments(
            tc_url=url.tc_url,
            app=url.app,
            flash_ver=f"fastflv/{__version__}",
            server=dialer.about if upnode else {},
            relay=True,
        )
        self._session = ClientSession(arguments, noise=os.urandom(32))
        self._session.on_data = self._take_data

    def _connected(self) -> None:
        self._session.play(self.url.stream, self._collected)
        self._write(self._session.take_output())

    def _receive(self, data: memoryview) -> None:
        session = self._session
        session.now = self._dialer.loop.time()
        for event in session.receive(data):
            self._look(event)
        self._write(session.take_output())

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

    def _aim(self, publication: Publication) -> None:
        self._session.redirect_media(self.url.stream, publication.sink)

    def _ended(self) -> Fault:
        return Fault(FaultKind.UNREACHABLE, "the connection to the origin was lost")

    @property
    def _inside(self) -> bool:
        return self._session.reader.inside
