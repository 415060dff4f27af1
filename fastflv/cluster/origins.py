"""What is known of the health of origins, for all vhosts and streams of a server.

An origin that failed is asked behind all others, and for a sign of life by itself until it gives one. So a dead origin
costs the stream that finds out a moment, and no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fastflv import limits
from fastflv.cluster.address import SECURE, OriginAddress
from fastflv.cluster.remote import fault_of, load_tls

log = logging.getLogger(__name__)

IsNamed = Callable[[OriginAddress], bool]
"Whether the configuration or a directory has an origin."

Check = Callable[[OriginAddress], Coroutine[Any, Any, str]]
"Asks an origin for a sign of life; returns why there is none, empty where there is."


@dataclass(slots=True)
class Health:
    """One origin, as far as it is known."""

    address: OriginAddress
    attempts: int = 0
    "Connections, redirected ones included."
    failures: int = 0
    "Those that could not be made, or were lost."
    fault: str = ""
    "Why it counts as down, one clause; empty: it does not."
    since: float = 0.0
    "When that became so, monotonic clock, seconds."
    streams: int = 0
    "Those it brings at present."


class Origins:
    """The health of all origins that were asked so far."""

    def __init__(self, loop: asyncio.AbstractEventLoop, check: Check, is_named: IsNamed) -> None:
        """*is_named* is asked when the configuration changes, when an origin comes or brings no stream any more, and while it is down."""
        self._loop = loop
        self._check = check
        self._is_named = is_named
        self._known: dict[OriginAddress, Health] = {}
        self._checks: dict[OriginAddress, asyncio.Task[None]] = {}

    def health(self, address: OriginAddress) -> Health:
        """Return the entry of *address*, for reading and counting."""
        known = self._known.get(address)
        if known is None:
            # Servers of a directory come and go, and nobody tells which ones of them have gone.
            self.keep_named()
            known = self._known[address] = Health(address)
        return known

    def ordered(self, addresses: Iterable[OriginAddress]) -> list[OriginAddress]:
        """Return *addresses* in the order in which they are to be asked: as given, those that are down last."""
        return sorted(addresses, key=lambda address: bool(self.health(address).fault))

    def failed(self, address: OriginAddress, why: str) -> None:
        """*address* could not be reached, was lost, or says nothing. Names that a redirect gave are not watched."""
        health = self._known.get(address)
        if health is None:
            return
        health.failures += 1
        if not health.fault:
            health.since = self._loop.time()
            log.warning("origin %s is down: %s; others are asked before it", address, why)
        health.fault = why
        if address not in self._checks:
            self._checks[address] = self._loop.create_task(self._watch(address))

    def worked(self, address: OriginAddress) -> None:
        """*address* has sent media."""
        health = self._known.get(address)
        if health is not None and health.fault:
            self._up(health)

    def took(self, address: OriginAddress) -> None:
        """*address* brings one stream more."""
        self.health(address).streams += 1
        self.worked(address)

    def left(self, address: OriginAddress) -> None:
        """*address* brings one stream less."""
        health = self.health(address)
        health.streams -= 1
        self._look(health)

    def keep_named(self) -> None:
        """Forget the origins that nobody names any more, once they bring no stream."""
        for health in list(self._known.values()):
            self._look(health)

    def _look(self, health: Health) -> None:
        address = health.address
        if health.streams or self._is_named(address):
            return
        del self._known[address]
        task = self._checks.pop(address, None)
        if task is not None and task is not asyncio.current_task(self._loop):
            task.cancel()

    async def close(self) -> None:
        """Ask no more."""
        tasks = list(self._checks.values())
        self._checks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[Health]:
        return iter(self._known.values())

    def _up(self, health: Health) -> None:
        log.info("origin %s is up again", health.address)
        health.fault = ""
        task = self._checks.pop(health.address, None)
        if task is not None and task is not asyncio.current_task(self._loop):
            task.cancel()

    async def _watch(self, address: OriginAddress) -> None:
        while True:
            await asyncio.sleep(limits.ORIGIN_CHECK_SECONDS)
            # One that is forgotten, or up, is not watched.
            health = self._known[address]
            self._look(health)
            if address not in self._checks:
                return
            if not await self._check(address):
                self._up(health)
                return


RTMP_FIRST = b"\x03" + bytes(4) + bytes(4) + bytes(1528)
"C0 and C1 of a simple handshake (RTMP 1.0, 5.2)."


async def ask_for_life(address: OriginAddress) -> str:
    """Return why an origin shows no life; empty where its first byte came. A connection alone does not tell: the kernel accepts it."""
    try:
        async with asyncio.timeout(limits.UPSTREAM_ANSWER_SECONDS):
            tls = await load_tls(asyncio.get_running_loop()) if address.scheme in SECURE else None
            reader, writer = await asyncio.open_connection(address.host, address.port, ssl=tls)
            try:
                asked = (
                    f"OPTIONS * HTTP/1.1\r\nHost: {address.authority}\r\nConnection: close\r\n\r\n".encode()
                )
                writer.write(RTMP_FIRST if address.scheme in ("rtmp", "rtmps") else asked)
                return "" if await reader.read(1) else "it closes the connection"
            finally:
                writer.transport.abort()
    except TimeoutError:
        return "no answer in time"
    except (OSError, UnicodeError) as error:
        return fault_of(error)
