"""Taps: the part of readers that belongs to the thread of the server, where logs are written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.log.mediatag import MediaTag, PinnedBytes, read_tags
from fastflv._ext.log.observer import LogObserver
from fastflv.embed.inbox import Inbox
from fastflv.embed.mailbox import Mailbox
from fastflv.playing.join import Fetching
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream

KEEPS_ALL = 1 << 40
"A lag beyond which pictures are left out one by one, ms: none. A reader that is late jumps."


class Begin(Enum):
    """Where a reader begins."""

    GOP = "gop"
    "At the newest keyframe; with the first tag of a stream that the reader has waited for."

    LIVE = "live"
    "With the next tags: sound at once, pictures from the next keyframe on."


class Taps:
    """The taps of a server. What they bring in one turn of its loop costs the program one wake-up."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hub: Hub,
        program: Mailbox,
        fetch: Callable[[StreamName], Fetching | None],
    ) -> None:
        """*fetch* has an edge fetch a stream until it is taken back; None where there is nothing to fetch."""
        self.loop = loop
        self.hub = hub
        self.stopped = False
        "No stream comes any more."
        self._program = program
        self._fetch = fetch
        self._open: dict[Tap, Fetching | None] = {}

    def open(self, tap: Tap) -> None:
        """Keep *tap* until it is closed. From here on it waits for a stream that is not there."""
        self._open[tap] = self._fetch(tap.name)
        tap.expect()

    def close(self, tap: Tap) -> None:
        fetching = self._open.pop(tap, None)
        if fetching is not None:
            fetching.cancel()
        tap.wanted = False
        tap.leave()

    def stop(self) -> None:
        """The server has stopped: what was received can be taken, and nothing else comes."""
        self.stopped = True
        for tap in list(self._open):
            self.fill(tap)

    def want(self, tap: Tap) -> None:
        """The reader of *tap* waits for tags."""
        tap.wanted = True
        self.fill(tap)

    def fill(self, tap: Tap) -> None:
        """Give the reader of *tap* what there is, where it waits."""
        if tap.wanted and tap.fill():
            self._program.post(tap.inbox.wake)


class Tap:
    """Takes the tags of one stream for one reader, a batch whenever the reader wants one."""

    def __init__(self, taps: Taps, name: StreamName, begin: Begin, inbox: Inbox, pins: PinnedBytes) -> None:
        """*inbox*: of the reader, and so are *pins*."""
        self.inbox = inbox
        self.wanted = False
        "The reader waits."
        self.name = name
        self._taps = taps
        self._begin = begin
        self._pins = pins
        self._cursor: Cursor | None = None
        self._log: MediaLog | None = None
        self._observer: LogObserver | None = None
        self._head: list[MediaTag] = []
        "What players begin with: metadata and sequence headers."
        self._waiting = False
        "For the stream."
        self._timer: asyncio.TimerHandle | None = None
        self._jumps = 0
        "Those of cursors before."

    def expect(self) -> None:
        """Wait for the stream, unless it is there and its tracks are known."""
        if self._settled() is None and not self._waiting and not self._taps.stopped:
            self._waiting = True
            self._taps.hub.wait(self.name, self._appeared)

    def fill(self) -> bool:
        """Put what is new into the inbox; return whether the reader has to be told."""
        batch = self._take()
        if not batch and not self.inbox.ended:
            return False
        self.wanted = False
        if self._cursor is not None:
            self.inbox.jumps = self._jumps + self._cursor.jumps
            self.inbox.lag_ms = self._cursor.lag_ms
        batch.reverse()
        self.inbox.tags = batch
        return True

    def leave(self) -> None:
        """Read no more of the stream, and wait for none."""
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None
        if self._log is not None and self._observer is not None:
            self._log.detach(self._observer)
            self._log = self._observer = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._waiting = False
            self._taps.hub.forget(self.name, self._appeared)

    def _take(self) -> list[MediaTag]:
        """Return what is new, oldest first; go on with the next stream of the name."""
        while self._cursor is not None or self._find():
            head, self._head = self._head, []
            cursor = self._cursor
            assert cursor is not None
            batch = head or cursor.take_views(self._pins, limits.READER_BATCH_BYTES)
            if batch:
                return batch
            if cursor.expired and not cursor.done:
                # Times begin anew, near 0: as after a jump.
                self._jumps += cursor.jumps + 1
                self.leave()
            elif cursor.done:
                self._end()
                break
            else:
                break
        return []

    def _settled(self) -> Stream | None:
        stream = self._taps.hub.find(self.name)
        return stream if stream is not None and stream.settled else None

    def _find(self) -> bool:
        """Return whether the stream is there and its tracks are known; else it is waited for."""
        stream = self._settled()
        if stream is not None:
            self._open(stream)
        elif self._taps.stopped:
            self._end()
        else:
            self.expect()
        return stream is not None

    def _appeared(self, stream: Stream) -> None:
        self._waiting = False
        # Also where nobody waits in this moment: the stream may end soon.
        self._open(stream, waited=True)
        self._taps.fill(self)

    def _open(self, stream: Stream, *, waited: bool = False) -> None:
        log = stream.open().log
        writer = stream.writer
        at = log.key_pos if self._begin is Begin.GOP else -1
        if self._begin is Begin.GOP and waited and log.tail == 0 and log.epoch_ms == 0:
            # The log has all of it, headers included.
            headers, at = b"", 0
        elif at >= 0 and writer.has_video:
            headers = log.key_headers
        else:
            headers, at = writer.header_tags(log.head_dts), log.head
        self._cursor = Cursor(
            log,
            position=at,
            drop_ms=KEEPS_ALL,
            jump_ms=stream.options.lag.jump_ms,
            until_key=writer.has_video and at in (0, log.head),
        )
        self._log = log
        self._observer = LogObserver(self._grown)
        log.attach(self._observer)
        self._head = read_tags(headers, jumped=self._jumps > 0)

    def _grown(self, urgent: bool) -> None:
        """Hand over a picture at once, and a sound with what comes within FLUSH_MS."""
        if not self.wanted:
            return
        if urgent:
            self._flush()
        elif self._timer is None:
            self._timer = self._taps.loop.call_later(limits.FLUSH_MS / 1000, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._taps.fill(self)

    def _end(self) -> None:
        self.inbox.ended = True
        self._taps.close(self)
