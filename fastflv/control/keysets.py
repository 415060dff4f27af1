"""JWK sets in files and at URLs: read again in the background, off the event loop, within bounds. Spec: RFC 7517."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from fastflv import limits
from fastflv.access.rule import Waiting
from fastflv.access.tokens.key import Key, KeyFault, read_file, read_set
from fastflv.access.tokens.keysource import KeySource
from fastflv.config.grammar.filestamp import FileStamp, stamp_of
from fastflv.config.masking import masked
from fastflv.control.authrules import is_url
from fastflv.errors import FilesBusyError
from fastflv.net.filepool import FileShare
from fastflv.net.httpclient import HttpClient

log = logging.getLogger(__name__)


class KeySets:
    """All sets of a server, by file or URL. A set that a reload leaves out is forgotten with `keep`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, files: FileShare) -> None:
        self._loop = loop
        self._files = files
        self._sets: dict[str, KeySet] = {}
        self._stamps: dict[str, FileStamp | None] = {}
        self._client = HttpClient(loop)

    def source_of(self, place: str, keys: Sequence[Key]) -> KeySet:
        """Return the set at *place*. *keys*: those that were just read of a file; none for a URL."""
        found = self._sets.get(place)
        if found is None:
            found = self._sets[place] = KeySet(
                self._loop, place, self._fetch if is_url(place) else self._look
            )
        if keys:
            found.keys = tuple(keys)
            found.read = True
        return found

    def keep(self, used: Iterable[KeySource]) -> None:
        """Read sets that are *used*, and no others."""
        kept = list(used)
        for place, each in list(self._sets.items()):
            if each in kept:
                each.begin()
            else:
                each.stop()
                del self._sets[place]
                self._stamps.pop(place, None)

    async def stop(self) -> None:
        """End all reading."""
        self.keep(())
        await self._client.close()

    async def _look(self, place: str) -> bytes | None:
        """Return the bytes of a file; None where it was not written since the last look. Raises KeyFault."""
        look = self._files.run(_read_changed, place, self._stamps.get(place))
        await asyncio.wait((look,))
        if look.cancelled():
            raise KeyFault(f"{place} cannot be read: the machine has no thread to give")
        stamp, data = look.result()
        self._stamps[place] = stamp
        return data

    async def _fetch(self, place: str) -> bytes:
        """Return the body at a URL. Raises KeyFault."""
        most = limits.JWKS_BYTES_MAX
        reply = await self._client.send("GET", place, most=most, seconds=limits.JWKS_TIMEOUT_SECONDS)
        if reply.fault:
            raise KeyFault(f"{masked(place)} cannot be fetched: {masked(reply.fault)}")
        if reply.status != 200:
            raise KeyFault(f"{masked(place)} was answered with status {reply.status}")
        if len(reply.body) > most:
            raise KeyFault(f"{masked(place)} is larger than {most} bytes")
        return reply.body


class KeySet:
    """One set. What was read last counts until a later reading is good."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, place: str, load: Callable[[str], Awaitable[bytes | None]]
    ) -> None:
        """*load* returns the bytes at *place*, None where they are as before. Raises KeyFault."""
        self.keys: tuple[Key, ...] = ()
        self.read = False
        self._loop = loop
        self._place = place
        self._load = load
        self._seconds = limits.JWKS_SECONDS if is_url(place) else limits.JWKS_LOOK_SECONDS
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._asked = -limits.JWKS_RENEW_SECONDS
        "When it was last read for a token, monotonic clock, seconds."
        self._waiting: set[_Wait] = set()
        self._fault = ""

    def begin(self) -> None:
        """Read it now and then from now on; no harm where that has begun."""
        if self._timer is None and self._task is None:
            if self.read:
                self._read_later()
            else:
                self._read_now()

    def stop(self) -> None:
        """Read it no more. Those who wait are answered by the keys of before."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._answer()

    def renew(self, done: Callable[[], None]) -> Waiting | None:
        now = self._loop.time()
        if self._task is None:
            if now - self._asked < limits.JWKS_RENEW_SECONDS:
                return None
            self._read_now()
        wait = _Wait(self._waiting, done)
        self._waiting.add(wait)
        return wait

    def _read_later(self) -> None:
        self._timer = self._loop.call_later(self._seconds, self._read_now)

    def _read_now(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._asked = self._loop.time()
        self._task = self._loop.create_task(self._read())

    async def _read(self) -> None:
        try:
            data = await self._load(self._place)
            if data is not None:
                self._take(read_set(data, masked(self._place)))
            fault = ""
        except (KeyFault, FilesBusyError) as error:
            fault = str(error)
        except Exception as error:
            # Whatever a library fails at, the set is read again later, and nobody waits for ever.
            log.exception("jwks: %s", masked(self._place))
            fault = type(error).__name__
        if fault and fault != self._fault:
            kept = "the keys of before count" if self.keys else "tokens of its keys are refused"
            log.warning("jwks: %s; %s", fault, kept)
        self._fault = fault
        self._task = None
        self._read_later()
        self._answer()

    def _take(self, keys: tuple[Key, ...]) -> None:
        if keys != self.keys:
            log.info("jwks: %s has %d keys", masked(self._place), len(keys))
        self.keys = keys
        self.read = True

    def _answer(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for wait in waiting:
            wait.done()


class _Wait:
    """A request that waits for a set."""

    __slots__ = ("_among", "done")

    def __init__(self, among: set[_Wait], done: Callable[[], None]) -> None:
        self._among = among
        self.done = done

    def cancel(self) -> None:
        self._among.discard(self)
        self.done = _nothing


def _nothing() -> None:
    pass


def _read_changed(place: str, before: FileStamp | None) -> tuple[FileStamp | None, bytes | None]:
    """Return how a file looks, and its bytes where it looked otherwise before. Blocks; raises KeyFault."""
    stamp = stamp_of(place)
    return stamp, read_file(place, limits.JWKS_BYTES_MAX) if stamp != before else None
