"""The publishes of one RTMP connection, and the feed that reads its socket while there is one alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fastflv.access.request import AccessRequest
from fastflv.protocols.rtmp import events
from fastflv.protocols.rtmp.server import ServerSession
from fastflv.servers.rtmp.feed import PublisherFeed
from fastflv.servers.rtmp.options import RtmpOptions
from fastflv.servers.rtmp.publish import BAD_NAME, DENIED, RtmpPublish
from fastflv.stream.endreason import EndReason
from fastflv.stream.publication import Publication
from fastflv.stream.stream import Stream

if TYPE_CHECKING:
    from fastflv.servers.rtmp.connection import RtmpConnection

log = logging.getLogger(__name__)

CIRCLE = "the stream comes from this server: servers forward it in a circle"


class Publishes:
    """What a connection publishes; without publishes it is empty, and false."""

    __slots__ = ("_connection", "_feed", "_feeding", "_rows", "_session")

    def __init__(self, connection: RtmpConnection, session: ServerSession) -> None:
        self._connection: RtmpConnection | None = connection
        "None once the connection is lost: each would keep the other."
        self._session = session
        self._rows: list[RtmpPublish] = []
        "One, or a few; those that wait for the gate too."
        self._feeding: list[Publication] = []
        "Publications that the present read may feed."
        self._feed: PublisherFeed | None = None
        "Reads the socket in place of the transport; None where there is not one publish alone, or TLS."

    def __len__(self) -> int:
        return len(self._rows)

    def begin(self, event: events.PublishWanted, options: RtmpOptions) -> None:
        """Ask the gate for a publish."""
        for other in self._rows:
            if other.publication is not None:
                other.publication.gather_no_more()
        self.leave_feed()
        connection = self._owner
        if connection.server.mark in event.via:
            log.info("rtmp %s: publish refused: %s", connection.peer.ip, CIRCLE, extra=connection.peer.marks)
            self._session.reject_publish(event.stream_id, BAD_NAME, CIRCLE)
            connection.close_unless_used()
            return
        # Behind TLS the socket has records, not messages.
        if not self._rows and not connection.speaks_tls:
            self._feed = connection.server.feeding.open(connection, self._session)
        low_water = self._feed.low_water if self._feed is not None else None
        publish = RtmpPublish(connection, self, event, options, low_water)
        self._rows.append(publish)
        publish.begin()

    def resume(
        self,
        event: events.PublishWanted,
        options: RtmpOptions,
        stream: Stream,
        request: AccessRequest,
        *,
        bytes_before: int,
        joined: float,
        alone: bool,
    ) -> None:
        """Go on with a publish that another process has handed over. *alone*: the connection has no other."""
        connection = self._owner
        if alone:
            self._feed = connection.server.feeding.open(connection, self._session)
        low_water = self._feed.low_water if self._feed is not None else None
        publish = RtmpPublish(connection, self, event, options, low_water)
        self._rows.append(publish)
        publication = publish.resume(stream, request, low_water, bytes_before=bytes_before, joined=joined)
        self._session.reader.set_sink(publish.stream_id, publication.sink)
        self._feeding.append(publication)
        if self._feed is not None:
            self._feed.begin(publication)

    def __iter__(self) -> Iterator[RtmpPublish]:
        return iter(self._rows)

    def part(self) -> None:
        """Another process goes on with the connection."""
        for publish in self._rows:
            if publish.publication is not None:
                publish.publication.part()
        self._rows.clear()
        self._feeding = []
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.part()
        self._connection = None

    # --- reads ---

    def begin_read(self, now: float) -> None:
        """Media that arrived at *now*, monotonic clock, seconds, is about to be written."""
        for publication in self._feeding:
            publication.begin_read(now)

    def end_read(self) -> None:
        """Publish what one read brought."""
        inside = self._session.inside
        for publication in self._feeding:
            publication.end_read(inside=inside)

    def look(self) -> None:
        """The feed has read what is not media alone."""
        for publication in self._feeding:
            publication.look()

    def take_script(self, event: events.DataArrived) -> None:
        """Take script data in its place among the media."""
        publish = self._find(event.stream_id)
        if publish is not None:
            publish.take_script(event)

    def read_on(self) -> None:
        """Have the feed read, if there is one, and only media to read."""
        if self._feed is not None:
            self._feed.resume()

    def hold(self) -> None:
        """Have the feed read no more until `read_on`."""
        if self._feed is not None:
            self._feed.pause()

    def leave_feed(self) -> None:
        """Have the transport read the socket, unless it is closing."""
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.close()

    # --- answers of the gate ---

    def accept(self, publish: RtmpPublish, publication: Publication) -> None:
        """The gate has admitted it, and the stream has no other publisher."""
        self._session.accept_publish(publish.stream_id, publication.sink)
        self._feeding.append(publication)
        if self._feed is not None:
            self._feed.begin(publication)
        self._owner.answered()

    def refuse(self, publish: RtmpPublish, code: str, why: str) -> None:
        """Answer with `onStatus` of level error; close unless other publishes go on."""
        self._rows.remove(publish)
        self._session.reject_publish(publish.stream_id, code, why)
        self._owner.close_unless_used()
        self._owner.answered()

    def redirect(self, publish: RtmpPublish, url: str) -> None:
        """Answer with the server that takes the publish."""
        self._rows.remove(publish)
        self._session.redirect(publish.stream_id, url)
        self._owner.close_unless_used()
        self._owner.answered()

    # --- ends ---

    def drop(self, publish: RtmpPublish, reason: EndReason) -> None:
        """The server has ended a publish: tell the publisher, and close unless other publishes go on."""
        if publish not in self._rows:
            return
        self._rows.remove(publish)
        self._forget_ended()
        self._session.reader.set_sink(publish.stream_id, None)
        self._session.notify(publish.stream_id, DENIED, f"The publish is over: {reason}.", "error")
        self._owner.publish_dropped(reason)

    def unpublished(self, stream_id: int) -> None:
        """The peer has ended a publish."""
        publish = self._find(stream_id)
        if publish is not None:
            self._rows.remove(publish)
            publish.end(EndReason.STOPPED)
            self._forget_ended()
        if not self._rows:
            self.leave_feed()

    def end(self, reason: EndReason) -> None:
        """The connection is over."""
        publishes, self._rows = self._rows, []
        self._feeding = []
        for publish in publishes:
            try:
                publish.end(reason)
            except Exception:
                # The streams of the others must not stay busy.
                peer = self._owner.peer
                log.exception("rtmp %s: a publish could not be ended", peer.ip, extra=peer.marks)
        self.leave_feed()

    def forget(self) -> None:
        """The connection is lost, and all publishes have ended."""
        self.leave_feed()
        self._connection = None

    def _find(self, stream_id: int) -> RtmpPublish | None:
        return next((publish for publish in self._rows if publish.stream_id == stream_id), None)

    @property
    def _owner(self) -> RtmpConnection:
        assert self._connection is not None
        return self._connection

    def _forget_ended(self) -> None:
        self._feeding = [publication for publication in self._feeding if not publication.ended]
