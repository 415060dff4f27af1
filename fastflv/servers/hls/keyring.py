"""The keys of one stream's segments: made, stored, and changed after some segments."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fastflv.servers.hls.names import HlsNames
from fastflv.servers.hls.store import SegmentStore
from fastflv.stream.name import StreamName


class Run(Protocol):
    """Runs a blocking function on a thread."""

    def __call__(
        self, function: Callable[[bytes, bytes, bytes], bytes], /, *args: bytes
    ) -> asyncio.Future[bytes]: ...


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted segment."""

    body: bytes
    key_path: str
    "Path of its key."

    iv: str
    "Its initialisation vector, hexadecimal."


class KeyRing:
    """Encrypts segments. *store*: where keys are stored, before the first segment that needs them."""

    def __init__(self, name: StreamName, names: HlsNames, store: SegmentStore, run: Run) -> None:
        self.store = store
        self._name = name
        self._names = names
        self._run = run
        self._key = ("", b"")
        "Path and bytes of the newest key; empty before the first."

    async def seal(self, body: bytes, number: int, begun: float, per_key: int) -> Sealed:
        """Encrypt segment *number*, which began at *begun* (seconds since 1970).

        As in SRS, a new key comes with each number that *per_key* divides. Raises OSError when it cannot be stored.
        """
        # Imported where it is used: the package `cryptography` is an extra.
        from fastflv.containers.segmentcipher import BLOCK_BYTES, KEY_BYTES, encrypt

        if number % per_key == 0 or not self._key[1]:
            path, secret = self._names.key_path(self._name, number, begun), os.urandom(KEY_BYTES)
            await self.store.write([(path, secret)])
            self._key = (path, secret)
        path, secret = self._key
        iv = os.urandom(BLOCK_BYTES)
        return Sealed(await self._run(encrypt, body, secret, iv), path, iv.hex())

    def renew(self) -> None:
        """The next segment gets another key, since the newest one may be deleted."""
        self._key = ("", b"")
