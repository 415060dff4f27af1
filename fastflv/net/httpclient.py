"""Requests to HTTP servers of the operator: kept connections, time-outs, and a bound for each server."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from fastflv import __version__, limits

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger(__name__)


class HttpReply(NamedTuple):
    """The answer of a server, or why there is none."""

    status: int
    "0 without an answer."

    body: bytes
    "Its first bytes, one more than was asked for where the answer is longer."

    fault: str = ""
    "Why there is no answer, one clause; empty with one."


def url_fault(url: str) -> str:
    """Return why *url* cannot be asked, as the end of a sentence; empty when it can."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is no URL"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "is no URL of the form http://HOST:PORT/PATH or https://HOST:PORT/PATH"
    return ""


class Call:
    """One request under way."""

    __slots__ = ("_task",)

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def cancel(self) -> None:
        """Give up: nothing is told any more, and the connection closes."""
        self._task.cancel()


class HttpClient:
    """Sends requests to any number of servers. Certificates of https are verified.

    The library is loaded by a thread at the first request, or by `prepare`. Redirects are not followed.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, observe: Callable[[float], None] | None = None
    ) -> None:
        """*observe* is told how long each request took, ms, whether or not there was an answer."""
        self._loop = loop
        self._observe = observe
        self._opening: asyncio.Task[aiohttp.ClientSession] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._faults: tuple[type[Exception], ...] = (OSError, ValueError)
        self._lost: tuple[type[Exception], ...] = ()
        "Errors of a kept connection that the server closed while the request was on its way."
        self._unreached: tuple[type[Exception], ...] = ()
        "Errors of connections that were never made."
        self._under_way: Counter[str] = Counter()
        "Requests by scheme, host and port."
        self._calls: set[asyncio.Task[None]] = set()

    def prepare(self) -> None:
        """Load the library; no harm when it is loaded already."""
        if self._opening is None:
            self._opening = self._loop.create_task(self._open())

    def post(self, url: str, body: bytes, done: Callable[[HttpReply], None]) -> Call | None:
        """Send *body*, JSON; *done* is called with the reply, later and once, and not after `cancel`.

        None: too many requests to that server are under way, and nothing is sent.
        """
        parts = urlsplit(url)
        server = f"{parts.scheme}://{parts.netloc}"
        if self._under_way[server] >= limits.HTTP_CALLS_PER_SERVER:
            return None

        async def run() -> None:
            done(await self.send("POST", url, body))

        self._under_way[server] += 1
        task = self._loop.create_task(run())
        self._calls.add(task)

        def over(task: asyncio.Task[None]) -> None:
            self._calls.discard(task)
            self._under_way[server] -= 1
            if not self._under_way[server]:
                del self._under_way[server]
            if not task.cancelled() and task.exception() is not None:
                log.error("the answer to a request could not be used", exc_info=task.exception())

        task.add_done_callback(over)
        return Call(task)

    async def send(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        *,
        most: int = limits.HOOK_REPLY_BYTES_MAX,
        seconds: float = limits.HTTP_CALL_SECONDS,
    ) -> HttpReply:
        """Send a request and return the reply. *most*: bytes of the answer that are read. Raises nothing but cancelling."""
        began = self._loop.time()
        reply = await self._attempt(method, url, body, most, seconds)
        if self._observe is not None:
            self._observe(1000 * (self._loop.time() - began))
        return reply

    async def _attempt(self, method: str, url: str, body: bytes, most: int, seconds: float) -> HttpReply:
        try:
            async with asyncio.timeout(seconds):
                if self._session is None:
                    self.prepare()
                    assert self._opening is not None
                    await asyncio.shield(self._opening)
                try:
                    return await self._exchange(method, url, body, most)
                except self._unreached:
                    raise
                except self._lost:
                    return await self._exchange(method, url, body, most)
        except TimeoutError as error:
            return HttpReply(0, b"", str(error) or f"no answer within {seconds:g} s")
        except self._faults as error:
            return HttpReply(0, b"", str(error) or type(error).__name__)

    async def close(self) -> None:
        """Give up all requests and close the connections."""
        for task in list(self._calls):
            task.cancel()
        if self._opening is not None:
            session = await self._opening
            await session.close()

    async def _open(self) -> aiohttp.ClientSession:
        # The import reads some hundred files and the system's certificates.
        await self._loop.run_in_executor(None, import_module, "aiohttp")
        import aiohttp

        self._faults = (aiohttp.ClientError, *self._faults)
        self._lost = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
        self._unreached = (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=limits.HTTP_CALL_IDLE_SECONDS,
                ttl_dns_cache=limits.HTTP_CALL_NAME_SECONDS,
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.HTTP_CALL_CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "User-Agent": f"fastflv/{__version__}",
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
            },
        )
        return self._session

    async def _exchange(self, method: str, url: str, body: bytes, most: int) -> HttpReply:
        assert self._session is not None
        response = await self._session.request(method, url, data=body, allow_redirects=False)
        try:
            content = response.content
            got = await content.read(most + 1)
            while len(got) <= most and not content.at_eof():
                got += await content.read(most + 1 - len(got))
            return HttpReply(response.status, got)
        finally:
            # Keeps the connection where the answer was read to its end, and closes it otherwise.
            response.release()
