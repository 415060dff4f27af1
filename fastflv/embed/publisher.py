"""Publishers: a program within the process that feeds a stream, as an encoder outside would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from types import TracebackType
from typing import Final, Self

from typing_extensions import Buffer

from fastflv import limits
from fastflv._ext.log.mediatag import MediaTag
from fastflv._ext.syntax.flvtag import make_tag
from fastflv.access.request import AccessRequest
from fastflv.containers.flv.header import BACK_POINTER_BYTES, TAG_HEADER_BYTES, flv_header
from fastflv.embed.carrier import ProgramCarrier
from fastflv.embed.corethread import CoreThread
from fastflv.errors import PublishError, ServerFailedError, UsageError
from fastflv.media.codecs import AUDIO, SCRIPT, VIDEO
from fastflv.servers.push.intake import Intakes
from fastflv.stream.name import StreamName

MEDIA: Final = (AUDIO, VIDEO, SCRIPT)


class Publisher:
    """One publish: `async with server.publish("live/x") as publisher`.

    It passes the gate and takes the name as every publish does; entering raises PublishError where that is refused.
    The publish ends with the block, and players stay for the grace period. Times are milliseconds modulo 2**32; media
    goes to players as it comes, so the program keeps the pace.

    What is sent goes to the thread of the server, and PUBLISHER_WAITING_BYTES may be on their way. So a tag that the server
    does not take may raise with a later one, or at the end of the block. Where the server has failed, whatever waits for it
    raises ServerFailedError.
    """

    def __init__(self, core: CoreThread, intakes: Intakes, request: AccessRequest, name: StreamName) -> None:
        self.name = name
        self._core = core
        self._waiters: list[asyncio.Future[None]] = []
        "One for each task that waits."
        self._carrier = ProgramCarrier(intakes, request, name, core.program, self._look)
        self._entered = False
        self._begun = False
        "The FLV header was sent, or is the program's."
        self._given = 0
        "Bytes on their way, and those before them."
        self._told = False
        "The program knows that the publish is over."
        self._turn_ends = 0.0

    async def __aenter__(self) -> Self:
        if self._entered:
            raise UsageError("a publisher is entered once: make another with `server.publish`")
        self._entered = True
        carrier = self._carrier
        self._core.post(carrier.begin)
        try:
            await self._until(lambda: carrier.admission or bool(carrier.over))
        except BaseException:
            self._core.post(carrier.cancel)
            raise
        if carrier.over and not carrier.admission:
            raise PublishError(f"the publish of {self.name.url} is refused: {carrier.over}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        carrier = self._carrier
        self._core.post(carrier.finish)
        try:
            await self._until(lambda: bool(carrier.over))
        except ServerFailedError:
            if error is None:
                raise
        if carrier.failed_by_media and not self._told and error is None:
            self._raise()

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
        await self._give(bytes(data), limits.PUBLISHER_WAITING_BYTES)

    async def _write(self, tag: bytes) -> None:
        if not self._begun:
            self._begun = True
            self._post(flv_header(audio=True, video=True))
        # Any other kind ends the publish: the answer is waited for.
        await self._give(tag, limits.PUBLISHER_WAITING_BYTES if tag[0] in MEDIA else 0)

    async def _give(self, data: bytes, room: int) -> None:
        """Send *data*, and wait until no more than *room* bytes are on their way."""
        carrier = self._carrier
        if not carrier.admission:
            raise UsageError("send within `async with server.publish(...) as publisher`")
        if perf_counter() >= self._turn_ends:
            # A program that reads a file, and never waits for anything else, must not hold the loop.
            await asyncio.sleep(0)
            self._turn_ends = perf_counter() + limits.TURN_SECONDS
        if not carrier.over:
            self._post(data)
            if self._given - carrier.taken > room:
                await self._until(lambda: bool(carrier.over) or self._given - carrier.taken <= room)
        if carrier.over:
            self._raise()

    def _raise(self) -> None:
        self._told = True
        self._core.check()
        raise PublishError(f"the publish of {self.name.url} is over: {self._carrier.over}")

    def _post(self, data: bytes) -> None:
        self._given += len(data)
        self._core.post(self._carrier.feed, data)

    async def _until(self, reached: Callable[[], bool]) -> None:
        """Wait for changes of the carrier until *reached*."""
        self._carrier.waited = True
        while not reached():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await self._core.program.rest(waiter)
            self._carrier.waited = True
        # A server that fails ends its publishes too.
        self._core.check()

    def _look(self) -> None:
        """The carrier has changed."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
