"""Publishers' sockets, read by the event loop many at a time (`_ext/ingest/feeds`)."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Protocol

from fastflv import limits
from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.feeds import Feed, Feeds
from fastflv._ext.ingest.lowwater import LowWater
from fastflv.stream.publication import Publication


class FedSession(Protocol):
    """The session of a connection that is fed: of a server whose peer publishes, or of a client that plays."""

    @property
    def reader(self) -> ChunkReader: ...

    @property
    def only_media(self) -> bool:
        """Whoever has the bytes may give them to the reader at once."""

    @property
    def acknowledge_at(self) -> int:
        """Bytes received by the reader at which an acknowledgement is due."""


class FedConnection(Protocol):
    """The connection whose socket a feed reads."""

    @property
    def transport(self) -> asyncio.Transport: ...

    def take_rest(self, view: memoryview, at: int) -> None:
        """Take the rest of a read, whose reader shows a message."""

    def look(self) -> None:
        """The feed has read what is not media alone: tracks to tell, or bytes to acknowledge."""

    def eof_received(self) -> bool:
        """The peer has closed."""

    def fail(self, error: Exception) -> None:
        """The feed has met bytes that are wrong, or a fault of the server."""


class Feeding:
    """Has the loop read all feeds: each read at once where they are few, else all together every FEED_SECONDS."""

    def __init__(self, loop: asyncio.AbstractEventLoop, view: memoryview) -> None:
        """*view*: receive buffer, in which nothing is kept between two reads."""
        self._loop = loop
        self._feeds = Feeds(view)
        self._last = 0.0
        "When feeds were last read, clock of the loop, seconds."
        self._timer: asyncio.Handle | None = None
        "Of the next read; None: the loop watches the feeds."
        self._idle = 0
        "Reads by the timer in a row that found nothing."
        loop.add_reader(self._feeds.fd, self._ready)

    @property
    def fd(self) -> int:
        """Can be read while media waits, until `close`."""
        return self._feeds.fd

    def open(self, connection: FedConnection, session: FedSession) -> PublisherFeed | None:
        """Make the feed of a connection; None where there is no descriptor left."""
        try:
            return PublisherFeed(self._feeds, connection, session)
        except OSError:
            return None

    def catch_up(self) -> None:
        """Read what has come by now, so that a publisher that left gives its name to the one that comes."""
        ends = perf_counter() + limits.TURN_SECONDS
        # A turn may leave the end of a connection, which stands behind its last bytes, to the next.
        while self._feeds.turn(int(self._loop.time() * 1000))[0] and perf_counter() < ends:
            pass

    def close(self) -> None:
        """Read nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        elif self._feeds.fd >= 0:
            self._loop.remove_reader(self._feeds.fd)
        self._feeds.close()

    def _ready(self) -> None:
        now = self._loop.time()
        _, more = self._feeds.turn(int(now * 1000))
        if not more and now - self._last < limits.FEED_SECONDS:
            self._loop.remove_reader(self._feeds.fd)
            self._timer = self._loop.call_later(limits.FEED_SECONDS, self._tick)
        self._last = now

    def _tick(self) -> None:
        now = self._loop.time()
        found, more = self._feeds.turn(int(now * 1000))
        if more:
            self._timer = self._loop.call_soon(self._tick)
            return
        self._idle = 0 if found else self._idle + 1
        if self._idle <= self._feeds.count // limits.FEED_IDLE_COUNT:
            self._timer = self._loop.call_later(limits.FEED_SECONDS, self._tick)
        else:
            self._timer = None
            self._idle = 0
            self._last = now
            self._loop.add_reader(self._feeds.fd, self._ready)


class PublisherFeed:
    """Reads the socket of a connection in place of its transport, which is paused meanwhile."""

    __slots__ = ("_connection", "_feed", "_session")

    def __init__(self, feeds: Feeds, connection: FedConnection, session: FedSession) -> None:
        """Raises OSError when there is no descriptor left."""
        fd = connection.transport.get_extra_info("socket").fileno()
        self._connection = connection
        self._session = session
        self._feed = Feed(feeds, fd, session.reader, self)

    @property
    def low_water(self) -> LowWater:
        """The mark of the socket, until `close`."""
        return self._feed.low_water

    def begin(self, publication: Publication) -> None:
        """Media goes to *publication*; call `resume` once the session has only media to read."""
        self._feed.begin(publication.sink)

    def resume(self) -> None:
        """Read in place of the transport, if media has begun and the session waits for nothing."""
        feed = self._feed
        if feed.reading or not feed.begun or not self._session.only_media:
            return
        transport = self._connection.transport
        transport.pause_reading()
        self._tell_due()
        try:
            feed.resume()
        except OSError:
            # The kernel has no room for more: the transport reads it as before.
            transport.resume_reading()

    def pause(self) -> None:
        """Read no more until `resume`. The transport stays paused."""
        self._feed.pause()

    def close(self) -> None:
        """Have the transport read again, for good."""
        reading = self._feed.reading
        self._feed.close()
        if reading:
            self._hand_over()

    def part(self) -> None:
        """Another process goes on with the socket."""
        self._feed.close()

    def _hand_over(self) -> None:
        transport = self._connection.transport
        if not transport.is_closing():
            transport.resume_reading()

    def _tell_due(self) -> None:
        self._feed.due = self._session.acknowledge_at

    # --- FeedOwner ---

    def feed_message(self, view: memoryview, at: int) -> None:
        self._connection.take_rest(view, at)
        if not self._feed.reading:
            # It was held or closed.
            return
        if self._session.only_media:
            self._tell_due()
        else:
            self._feed.pause()
            self._hand_over()

    def feed_due(self) -> None:
        self._connection.look()
        self._tell_due()

    def feed_ended(self) -> None:
        self._connection.eof_received()

    def feed_failed(self, error: Exception) -> None:
        self._connection.fail(error)
