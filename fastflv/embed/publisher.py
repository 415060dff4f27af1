"""Publishers: a program within the process that feeds a stream, as an encoder outside would."""

from __future__ import annotations

import asyncio
from time import perf_counter
from types import TracebackType
from typing import Self

from typing_extensions import Buffer

from fastflv import limits
from fastflv._ext.log.mediatag import MediaTag
from fastflv._ext.syntax.flvtag import make_tag
from fastflv.access.request import AccessRequest
from fastflv.containers.flv.header import BACK_POINTER_BYTES, TAG_HEADER_BYTES, flv_header
from fastflv.errors import PublishError, UsageError
from fastflv.servers.push.intake import Intake, Intakes
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.pendingpublish import PublishRefused


class Publisher:
    """One publish: `async with server.publish("live/x") as publisher`.

    It passes the gate and takes the name as every publish does; entering raises PublishError where that is refused.
    The publish ends with the block, and players stay for the grace period. Times are milliseconds modulo 2**32; media
    goes to players as it comes, so the program keeps the pace.
    """

    def __init__(self, intakes: Intakes, request: AccessRequest, name: StreamName) -> None:
        self.name = name
        self._intake = Intake(intakes, self, request, name)
        self._answer: asyncio.Future[None] | None = None
        "Of the gate."
        self._open: asyncio.Event = asyncio.Event()
        "Cleared while script data waits for a turn of the loop."
        self._open.set()
        self._begun = False
        "The FLV header was sent, or is the program's."
        self._over = ""
        "Why the publish is over."
        self._turn_ends = 0.0

    async def __aenter__(self) -> Self:
        if self._answer is not None:
            raise UsageError("a publisher is entered once: make another with `server.publish`")
        self._answer = asyncio.get_running_loop().create_future()
        self._intake.begin()
        try:
            await self._answer
        except BaseException:
            self._intake.cancel()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = self._over or "its block has ended"
        self._intake.cancel(EndReason.STOPPED)

    async def send(self, kind: int, time_ms: int, payload: Buffer) -> None:
        """Send the body of one tag; *kind*: 8 audio, 9 video, 18 script data.

        Raises PublishError where the publish is over, or where the tag is none that a server takes.
        """
        await self._write(make_tag(kind, time_ms, payload))

    async def write(self, tag: Buffer | MediaTag) -> None:
        """Send one FLV tag, header and body, with or without its back pointer; or a tag of a reader. Raises as `send`."""
        if isinstance(tag, MediaTag):
            await self._write(tag.to_bytes())
            return
        data = bytes(tag)
        size = TAG_HEADER_BYTES + int.from_bytes(data[1:4], "big")
        if len(data) == size:
            data += (size).to_bytes(BACK_POINTER_BYTES, "big")
        if len(data) != size + BACK_POINTER_BYTES:
            raise PublishError(f"{len(data)} bytes are no FLV tag: its header says {size}")
        await self._write(data)

    async def feed(self, data: Buffer) -> None:
        """Send the next bytes of an FLV stream, which begins with its header, in pieces of any size. Raises as `send`."""
        self._begun = True
        await self._give(bytes(data))

    async def _write(self, tag: bytes) -> None:
        if not self._begun:
            self._begun = True
            await self._give(flv_header(audio=True, video=True))
        await self._give(tag)

    async def _give(self, data: bytes) -> None:
        if self._answer is None or not self._answer.done():
            raise UsageError("send within `async with server.publish(...) as publisher`")
        if perf_counter() >= self._turn_ends:
            # A program that reads a file, and never waits for anything else, must not hold the loop.
            await asyncio.sleep(0)
            self._turn_ends = perf_counter() + limits.TURN_SECONDS
        while not self._open.is_set():
            await self._open.wait()
        if not self._over:
            self._intake.feed(data)
        if self._over:
            raise PublishError(f"the publish of {self.name.url} is over: {self._over}")

    # --- Carrier ---

    @property
    def sent(self) -> int:
        return 0

    def admitted(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(None)

    def refused(self, refused: PublishRefused) -> None:
        self._over = refused.reason
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(
                PublishError(f"the publish of {self.name.url} is refused: {refused.reason}")
            )

    def failed(self, why: str) -> None:
        self._end(why)

    def dropped(self, reason: EndReason) -> None:
        self._end(reason.value)

    def pause(self) -> None:
        self._open.clear()

    def resume(self) -> None:
        self._open.set()

    def _end(self, why: str) -> None:
        self._over = why
        self._open.set()
