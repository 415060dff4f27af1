"""Readers: the tags of a live stream for `async for`."""

from __future__ import annotations

import asyncio
from time import perf_counter
from types import TracebackType
from typing import Self

from fastflv import limits
from fastflv._ext.log.mediatag import MediaTag, PinnedBytes
from fastflv.embed.corethread import CoreThread
from fastflv.embed.inbox import Inbox
from fastflv.embed.taps import Begin, Tap, Taps
from fastflv.errors import ResourceError
from fastflv.stream.name import StreamName


class Reader:
    """Reads one stream: `async for tag in reader`, oldest first, from metadata and sequence headers on.

    It waits until the stream is published, goes on when a publisher returns within the grace period, and ends with
    the stream. A reader whose next tag is older than the vhost's `lag_jump` goes on at the newest keyframe, behind the
    headers: `MediaTag.jumped` tells of it, and `jumps` counts. Nothing else is left out. One task reads; leaving the
    loop and dropping the reader closes it, and so does `async with`. Where the server has failed it raises ServerFailedError.
    """

    def __init__(self, core: CoreThread, taps: Taps, name: StreamName, begin: Begin) -> None:
        self.name = name
        self._core = core
        self._taps = taps
        self._inbox = Inbox(core.program)
        self._pins = PinnedBytes()
        # It knows no reader, so that one which is dropped is freed at once.
        self._tap = Tap(taps, name, begin, self._inbox, self._pins)
        self._batch: list[MediaTag] = []
        "Tags that were taken, the newest first."
        self._turn_ends = 0.0
        self._closed = False
        core.post(taps.open, self._tap)

    @property
    def jumps(self) -> int:
        """How often it was so late that it went on at the newest keyframe."""
        return self._inbox.jumps

    @property
    def lag_ms(self) -> int:
        """Age of the newest tags when they were taken last, ms."""
        return self._inbox.lag_ms

    def close(self) -> None:
        """Read no more. Tags that were taken stay as they are."""
        self._closed = True
        self._batch.clear()
        self._inbox.tags.clear()
        self._inbox.ended = True
        self._core.post(self._taps.close, self._tap)
        self._inbox.wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> MediaTag:
        while not self._batch:
            if self._closed:
                raise StopAsyncIteration
            if self._pins.held > limits.READER_PINNED_BYTES:
                raise ResourceError(
                    f"{self._pins.held >> 20} MiB of {self.name.url} are kept by its tags; "
                    "drop tags when they are used, or keep bytes(tag.payload)"
                )
            self._batch = await self._inbox.take(self._ask)
            if not self._batch:
                raise StopAsyncIteration
            self._turn_ends = perf_counter() + limits.TURN_SECONDS
        if perf_counter() >= self._turn_ends:
            # A consumer that computes, and never waits for anything else, must not hold the loop.
            await asyncio.sleep(0)
            self._turn_ends = perf_counter() + limits.TURN_SECONDS
            if not self._batch:
                # It was closed meanwhile.
                raise StopAsyncIteration
        return self._batch.pop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self._core.post(self._taps.close, self._tap)

    def _ask(self) -> None:
        self._core.post(self._taps.want, self._tap)
