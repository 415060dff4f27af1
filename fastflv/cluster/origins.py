"""What is known of the health of origins, for all vhosts and streams of a server.

An origin that failed is asked behind all others, and for a sign of life by itself until it gives one. So a dead origin
costs the stream that finds out a moment, and no other. Whatever asks for a sign of life tells the origin of an edge, for which
streams keep some of the past then.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from fastflv import limits
from fastflv.cluster.address import SECURE, OriginAddress
from fastflv.cluster.remote import fault_of, load_tls
from fastflv.errors import PeerError
from fastflv.protocols.rtmp.client import ClientSession
from fastflv.protocols.rtmp.connectarguments import ConnectArguments
from fastflv.servers.http.live import RESUMES

log = logging.getLogger(__name__)

IsNamed = Callable[[OriginAddress], bool]
"Whether the configuration or a directory has an origin."

TOLD_APP: Final = "live"
"App of a `connect` that only tells of this edge: no stream is asked for."

ANSWER_BYTES: Final = 4096
"Read at once of an answer: the handshake has 3 KB."

Check = Callable[[OriginAddress], Coroutine[Any, Any, str]]
"Asks an origin for a sign of life, and tells it of this edge; returns why there is none, empty where there is."


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
    told_at: float = float("-inf")
    "When it was told last that this edge may go on there, monotonic clock, seconds."


class Origins:
    """The health of all origins that were asked so far."""

    def __init__(self, loop: asyncio.AbstractEventLoop, check: Check, is_named: IsNamed) -> None:
        """*is_named* is asked when the configuration changes, when an origin comes or brings no stream any more, and while it is down."""
        self._loop = loop
        self._check = check
        self._is_named = is_named
        self._known: dict[OriginAddress, Health] = {}
        self._checks: dict[OriginAddress, asyncio.Task[None]] = {}
        self._announcing: set[asyncio.Task[None]] = set()

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

    def announce(self, addresses: Iterable[OriginAddress], *, again: bool = False) -> None:
        """Tell *addresses* that streams may go on there, once in ORIGIN_ANNOUNCE_SECONDS at most, unless *again*. Nothing depends on it."""
        now = self._loop.time()
        for address in addresses:
            health = self.health(address)
            # One that is down is told with the next question for a sign of life.
            due = again or now - health.told_at >= limits.ORIGIN_ANNOUNCE_SECONDS
            if address in self._checks or not due:
                continue
            health.told_at = now
            task = self._loop.create_task(self._announce(address))
            self._announcing.add(task)
            task.add_done_callback(self._announcing.discard)

    async def _announce(self, address: OriginAddress) -> None:
        if not await self._check(address):
            self.worked(address)

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
        tasks = [*self._checks.values(), *self._announcing]
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


async def ask_for_life(address: OriginAddress) -> str:
    """Return why an origin shows no life; empty where its first byte came. A connection alone does not tell: the kernel accepts it.

    It is told that an edge may come to go on with a stream: by the question over HTTP, by `connect` over RTMP.
    """
    by_rtmp = address.scheme in ("rtmp", "rtmps")
    arguments = ConnectArguments(tc_url=f"{address}/{TOLD_APP}", app=TOLD_APP, relay=True, resumes=False)
    session = ClientSession(arguments, noise=os.urandom)
    asked = f"OPTIONS * HTTP/1.1\r\nHost: {address.authority}\r\n{RESUMES}: 0\r\nConnection: close\r\n\r\n".encode()
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(limits.UPSTREAM_ANSWER_SECONDS):
            tls = await load_tls(asyncio.get_running_loop()) if address.scheme in SECURE else None
            reader, writer = await asyncio.open_connection(address.host, address.port, ssl=tls)
            writer.write(session.take_output() if by_rtmp else asked)
            data = await reader.read(ANSWER_BYTES)
        if data and by_rtmp:
            # It lives, whatever it says.
            with suppress(OSError, PeerError):
                async with asyncio.timeout(limits.UPSTREAM_ANSWER_SECONDS):
                    await _connect(session, reader, writer, data)
        return "" if data else "it closes the connection"
    except TimeoutError:
        return "no answer in time"
    except (OSError, UnicodeError) as error:
        return fault_of(error)
    finally:
        if writer is not None:
            writer.transport.abort()


async def _connect(
    session: ClientSession, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes
) -> None:
    """Go on from *data*, which came first, until the server has answered `connect`. Raises PeerError and OSError."""
    while data and not session.receive(data):
        writer.write(session.take_output())
        data = await reader.read(ANSWER_BYTES)
