"""Publications without connections: the loop, the sources and their media are the test's."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from model.access import request
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, Feed, inter, key, sound
from model.loop import FakeLoop

from fastflv._ext.ingest.lowwater import LowWater
from fastflv.access.gate import Gate
from fastflv.access.request import Action
from fastflv.stream.clients import Clients
from fastflv.stream.endreason import EndReason
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.pendingpublish import with_role
from fastflv.stream.publication import Publication, Publications, PublishOptions
from fastflv.stream.stream import StreamOptions

NAME = StreamName("a.example", "live", "x")
OPTIONS = PublishOptions(StreamOptions(grace_ms=8000), first_media=20.0, silence=5.0)


class Site:
    """All that publications need."""

    def __init__(self) -> None:
        ids = map(str, count())
        self.loop = FakeLoop()
        self.hub = Hub(lambda: f"vid-{next(ids)}")
        self.clients = Clients()
        self.gate = Gate(lambda vhost: ())
        self.publications = Publications(self.loop, self.hub, self.clients, self.gate)

    def publish(self, options: PublishOptions = OPTIONS, name: StreamName = NAME, id: str = "p", **more):
        return Source(self, options, name, id, **more)


class Source:
    """A publisher that closes as soon as it is dropped."""

    def __init__(
        self,
        site: Site,
        options: PublishOptions,
        name: StreamName,
        id: str,
        *,
        low_water: LowWater | None = None,
        param: str = "",
    ) -> None:
        self.site = site
        self.sent = 1000
        self.dropped: list[EndReason] = []
        asked = replace(request(Action.PUBLISH, vhost=name.vhost), client_id=id, param=param)
        asked = with_role(asked, options.backup_suffix)
        self.publication = site.publications.begin(name, options, asked, self, low_water)
        self.stream = self.publication.stream
        self.feed = Feed(self.publication.sink)
        self.time = 0

    def publication_dropped(self, publication: Publication, reason: EndReason) -> None:
        assert publication is self.publication
        self.dropped.append(reason)
        publication.end(reason)

    def read(self, *messages: tuple[int, bytes]) -> None:
        """One read of the connection, with these messages."""
        publication, now = self.publication, self.site.loop.time()
        publication.begin_read(now)
        for kind, body in messages:
            self.feed.send(kind, self.time, body, publication.sink.now_ms)
        publication.end_read()
        self.time += 40

    def film(self) -> None:
        """Both tracks."""
        self.read((AUDIO, AAC_HEADER), (VIDEO, AVC_HEADER), (VIDEO, key()), (AUDIO, sound()))

    def go_on(self, seconds: float, size: int = 300) -> None:
        """A picture every 40 ms."""
        for _ in range(round(seconds / 0.04)):
            self.read((VIDEO, inter(bytes(size))))
            self.site.loop.advance(0.04)
