"""Readers: the tags of a live stream for `async for`."""

from __future__ import annotations

import asyncio
from enum import Enum
from time import perf_counter
from types import TracebackType
from typing import Self

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.log.mediatag import MediaTag, PinnedBytes, read_tags
from fastflv._ext.log.observer import LogObserver
from fastflv.errors import ResourceError, UsageError
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


class Growth:
    """Wakes one reader when its log has grown. It knows no reader, so that one which is dropped is freed at once."""

    __slots__ = ("_loop", "_timer", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self) -> None:
        """Return when there may be something to read."""
        if self._waiting is not None:
            raise UsageError("a reader belongs to one task: open another one with `server.stream`")
        self._waiting = self._loop.create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def grown(self, urgent: bool) -> None:
        """Wake the reader: at once for a picture, and with what comes within FLUSH_MS for a sound."""
        if self._waiting is None:
            return
        if urgent:
            self.wake()
        elif self._timer is None:
            self._timer = self._loop.call_later(limits.FLUSH_MS / 1000, self.wake)

    def wake(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Reader:
    """Reads one stream: `async for tag in reader`, oldest first, from metadata and sequence headers on.

    It waits until the stream is published, goes on when a publisher returns within the grace period, and ends with
    the stream. A reader whose next tag is older than the vhost's `lag_jump` goes on at the newest keyframe, behind the
    headers: `MediaTag.jumped` tells of it, and `jumps` counts. Nothing else is left out. One task reads; leaving the
    loop and dropping the reader closes it, and so does `async with`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, hub: Hub, name: StreamName, begin: Begin) -> None:
        self.name = name
        self._loop = loop
        self._hub = hub
        self._begin = begin
        self._growth = Growth(loop)
        self._pins = PinnedBytes()
        self._cursor: Cursor | None = None
        self._log: MediaLog | None = None
        self._observer: LogObserver | None = None
        self._batch: list[MediaTag] = []
        "Tags that were taken, the newest first."
        self._jumps = 0
        "Those of cursors before."
        self._turn_ends = 0.0
        self._closed = False
        self._stopped = False
        "The server has stopped: no stream comes any more."

    @property
    def jumps(self) -> int:
        """How often it was so late that it went on at the newest keyframe."""
        return self._jumps + (self._cursor.jumps if self._cursor is not None else 0)

    @property
    def lag_ms(self) -> int:
        """Age of the newest tags when they were taken last, ms."""
        return self._cursor.lag_ms if self._cursor is not None else 0

    def close(self) -> None:
        """Read no more. Tags that were taken stay as they are."""
        self._closed = True
        self._batch.clear()
        self._leave()
        self._growth.wake()

    def stop(self) -> None:
        """The server has stopped: what was read can be taken, and nothing else comes."""
        self._stopped = True
        self._growth.wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> MediaTag:
        if not self._batch or perf_counter() >= self._turn_ends:
            # A consumer that computes, and never waits for anything else, must not hold the loop.
            if self._turn_ends:
                await asyncio.sleep(0)
            self._turn_ends = perf_counter() + limits.TURN_SECONDS
            while not self._batch:
                if self._closed:
                    raise StopAsyncIteration
                await self._fill()
        return self._batch.pop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self._leave()

    async def _fill(self) -> None:
        """Take what is new, or wait for it."""
        if self._cursor is None:
            await self._find()
            return
        if self._pins.held > limits.READER_PINNED_BYTES:
            raise ResourceError(
                f"{self._pins.held >> 20} MiB of {self.name.url} are kept by its tags; "
                "drop tags when they are used, or keep bytes(tag.payload)"
            )
        self._batch = self._cursor.take_views(self._pins, limits.READER_BATCH_BYTES)
        self._batch.reverse()
        if self._batch:
            return
        if self._cursor.expired and not self._cursor.done:
            # Times begin anew, near 0: as after a jump.
            self._jumps += self._cursor.jumps + 1
            self._leave()
        elif self._cursor.done:
            self.close()
        else:
            await self._growth.wait()

    async def _find(self) -> None:
        """Wait until the stream is there and its tracks are known; take what players begin with."""
        stream = self._hub.find(self.name)
        if stream is not None and stream.settled:
            self._open(stream)
            return
        if self._stopped:
            self.close()
            return

        def appeared(stream: Stream) -> None:
            # At once: it may end before the reader runs.
            self._open(stream, waited=True)
            self._growth.wake()

        self._hub.wait(self.name, appeared)
        try:
            await self._growth.wait()
        finally:
            self._hub.forget(self.name, appeared)

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
        self._observer = LogObserver(self._growth.grown)
        log.attach(self._observer)
        self._batch = read_tags(headers, jumped=self._jumps > 0)
        self._batch.reverse()

    def _leave(self) -> None:
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None
        if self._log is not None and self._observer is not None:
            self._log.detach(self._observer)
            self._log = self._observer = None
