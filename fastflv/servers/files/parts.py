"""Parts of media files: their indexes, and answers from a keyframe on."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from fastflv import limits
from fastflv.containers.cut import Cut, Place, Reading, SteppedReading
from fastflv.errors import FilesBusyError, FlvError, MediaFileError, MediaPlaceError
from fastflv.net.filepool import FileShare
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.files.answer import answer_file
from fastflv.servers.files.opening import OpenFile
from fastflv.servers.files.seek import Part

Result = TypeVar("Result")


class MediaIndex(Protocol):
    """What is known of a file once it was read."""

    @property
    def cost(self) -> int:
        """Memory, bytes."""

    @property
    def claimed(self) -> bool:
        """What the file says of itself was believed; a cut may show that it is wrong."""


class Container(NamedTuple):
    """How files of one kind are read."""

    read_index: Callable[..., Reading[Any]]
    "Of the size in bytes, and `claims`: what the file says of itself may be believed."

    read_cut: Callable[[Any, Place | None, Place | None], Reading[Cut]]
    "Of the index, start and end."


def _flv() -> Container:
    from fastflv.containers.flv.cut import read_cut
    from fastflv.containers.flv.index import read_index

    return Container(read_index, read_cut)


def _mp4() -> Container:
    from fastflv.containers.mp4.cut import read_cut, read_index

    return Container(read_index, read_cut)


CONTAINERS: Final = {"flv": _flv, "mp4": _mp4}
"They load what reads them, which takes 0.2 MB of a server that nobody asks for parts. Call them on a thread."


class MediaParts:
    """Answers requests for parts of files.

    An index is read once for all who ask for its file, in steps between which other files have their turn, and kept as long
    as the file does not change and `VOD_CACHE_BYTES` allow. What cannot be read is remembered too.
    """

    def __init__(self, files: FileShare) -> None:
        self._files = files
        self._containers: dict[str, Container] = {}
        "Those that were asked for."
        self._known: OrderedDict[str, MediaIndex | FlvError] = OrderedDict()
        "By entity tag, which tells inode, time and size."
        self._bytes = 0
        self._reading: dict[str, asyncio.Task[MediaIndex]] = {}
        self._answers: set[asyncio.Task[None]] = set()
        self._held = 0
        "Bytes before parts that their clients have not taken."

    def answer(self, exchange: Exchange, file: OpenFile, part: Part) -> None:
        """Answer with *part* of *file*, at once or later; the file is closed in any case."""
        task = self._files.loop.create_task(self._answer(exchange, file, part))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, exchange: Exchange, file: OpenFile, part: Part) -> None:
        try:
            cut = await self._cut(file, part)
        except MediaPlaceError as error:
            response = Response.of_text(416, error.detail, Content_Range=f"bytes */{file.size}")
        except FilesBusyError as error:
            response = Response.of_text(503, f"{error.detail}; ask again", Retry_After="1")
        except FlvError as error:
            place = f" at byte {error.offset}" if error.offset >= 0 else ""
            response = Response.of_text(422, f"the file cannot be sent in parts: {error.detail}{place}")
        except OSError as error:
            response = Response.of_text(503, f"the file cannot be read: {error.strerror}")
        except BaseException:
            file.close()
            raise
        else:
            self._held += (size := len(cut.before))
            answer_file(exchange, file, cut, partial(self._release, size))
            return
        file.close()
        exchange.respond(response)

    def _release(self, size: int) -> None:
        self._held -= size

    async def _cut(self, file: OpenFile, part: Part) -> Cut:
        if not part.container:
            return _range(file, part)
        if self._held > limits.VOD_HELD_BYTES:
            raise FilesBusyError("too many clients have not taken the headers of their parts")
        container = self._containers.get(part.container)
        if container is None:
            container = await self._files.run(CONTAINERS[part.container])
            self._containers[part.container] = container
        index = await self._index(file, container, claims=True)
        try:
            return await self._read(file, container.read_cut(index, part.start, part.end))
        except MediaFileError:
            if not index.claimed:
                raise
        if self._known.get(file.validators.etag) is index:
            self._forget(file.validators.etag)
        index = await self._index(file, container, claims=False)
        return await self._read(file, container.read_cut(index, part.start, part.end))

    async def _index(self, file: OpenFile, container: Container, *, claims: bool) -> MediaIndex:
        """Return the index of *file*, read now where it is not known."""
        key = file.validators.etag
        known = self._known.get(key)
        if known is None:
            reading = self._reading.get(key)
            if reading is None:
                made = self._read_index(file, container.read_index(file.size, claims=claims))
                reading = self._reading[key] = self._files.loop.create_task(made)
            return await asyncio.shield(reading)
        self._known.move_to_end(key)
        if isinstance(known, FlvError):
            raise known
        return known

    async def _read_index(self, file: OpenFile, reading: Reading[MediaIndex]) -> MediaIndex:
        key = file.validators.etag
        try:
            index = await self._read(file, reading)
        except FilesBusyError:
            raise
        except FlvError as error:
            self._keep(key, error.with_traceback(None))
            raise
        else:
            self._keep(key, index)
            return index
        finally:
            del self._reading[key]

    async def _read(self, file: OpenFile, reading: Reading[Result]) -> Result:
        """Read on a thread, step by step."""
        steps = SteppedReading(reading, lambda offset, size: _bytes(file, offset, size))
        while not await self._files.run(steps.step, limits.VOD_STEP_BYTES):
            pass
        return steps.result

    def _keep(self, key: str, found: MediaIndex | FlvError) -> None:
        self._forget(key)
        self._known[key] = found
        self._bytes += _cost(found)
        while self._bytes > limits.VOD_CACHE_BYTES and len(self._known) > 1:
            self._forget(next(iter(self._known)))

    def _forget(self, key: str) -> None:
        found = self._known.pop(key, None)
        if found is not None:
            self._bytes -= _cost(found)


def _cost(found: MediaIndex | FlvError) -> int:
    return limits.VOD_INDEX_EXTRA_BYTES if isinstance(found, FlvError) else found.cost


def _bytes(file: OpenFile, offset: int, size: int) -> bytes:
    if file.body is not None:
        return file.body[offset : offset + size]
    return os.pread(file.fd, size, offset)


def _range(file: OpenFile, part: Part) -> Cut:
    """Return the bytes as they stand in the file."""
    begin = int(part.start.value) if part.start is not None else 0
    end = min(int(part.end.value) if part.end is not None else file.size, file.size)
    if begin >= end:
        raise MediaPlaceError(f"byte {begin} lies behind the end: the file has {file.size} bytes")
    return Cut(b"", begin, end - begin)
