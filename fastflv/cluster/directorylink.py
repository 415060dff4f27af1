"""The connection to the Redis of a directory: this server's lease and streams go there, the news of others come from there.

Keys: `fastflv:nodes` is the set of marks. `fastflv:node:MARK` is a hash that expires with the lease: `card` (JSON), `version`, and
`s/VHOST/APP/STREAM` with the time of each stream's begin. Each change is published on the channel `fastflv:news`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from importlib import import_module
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from fastflv import limits
from fastflv.cluster.directory import Directory, News, NodeCard, RowError, read_row, streams_of
from fastflv.config.masking import masked
from fastflv.net.peertext import printable

log = logging.getLogger(__name__)

NODES: Final = "fastflv:nodes"
NODE: Final = "fastflv:node:"
NEWS: Final = "fastflv:news"
STREAM: Final = "s/"
SENTINEL: Final = ("redis+sentinel", "rediss+sentinel")


def directory_fault(url: str) -> str:
    """Return why *url* names no Redis, as the end of a sentence; empty when it does."""
    try:
        parts = urlsplit(url)
        hosts = _hosts(parts.netloc)
    except ValueError:
        return "is no URL"
    if parts.scheme in SENTINEL:
        service, _, db = parts.path.strip("/").partition("/")
        good = bool(hosts) and bool(service) and (not db or db.isdecimal())
    else:
        good = parts.scheme in ("redis", "rediss") and len(hosts) == 1
    return (
        ""
        if good
        else "is no URL of the form redis://HOST:PORT/DB or redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB"
    )


def _hosts(netloc: str) -> list[tuple[str, int]]:
    """The servers of a URL. Raises ValueError for a bad port."""
    found = []
    for each in netloc.rpartition("@")[2].split(","):
        parts = urlsplit(f"//{each}")
        if parts.hostname:
            found.append((parts.hostname, parts.port or 0))
    return found


@asynccontextmanager
async def opened_redis(url: str) -> AsyncIterator[Any]:
    """Make a client for *url*, which connects when it is used, and close all its connections."""
    from redis import asyncio as redis

    more: dict[str, Any] = {
        "socket_timeout": limits.DIRECTORY_ANSWER_SECONDS,
        "socket_connect_timeout": limits.DIRECTORY_ANSWER_SECONDS,
        "decode_responses": True,
        # Others may write what is no UTF-8: it fails nowhere, and names nothing.
        "encoding_errors": "replace",
    }
    parts = urlsplit(url)
    if parts.scheme not in SENTINEL:
        async with aclosing(redis.Redis.from_url(url, **more)) as client:
            yield client
        return
    service, _, db = parts.path.strip("/").partition("/")
    if parts.scheme.startswith("rediss"):
        more["ssl"] = True
    password = unquote(parts.password) if parts.password else None
    hosts = [(host, port or 26379) for host, port in _hosts(parts.netloc)]
    # Its initialiser has no types.
    sentinel_of: Any = redis.Sentinel
    sentinel = sentinel_of(hosts, sentinel_kwargs={**more, "password": password}, **more)
    user = unquote(parts.username) if parts.username else None
    async with AsyncExitStack() as stack:
        # A client of the master leaves the connections to Sentinels open.
        for each in sentinel.sentinels:
            await stack.enter_async_context(aclosing(each))
        client = sentinel.master_for(service, db=int(db or 0), username=user, password=password)
        yield await stack.enter_async_context(aclosing(client))


class DirectoryLink:
    """Keeps this server in one directory, and a copy of the directory here.

    While Redis is lost the copy stays as it was. When it is back, all that this server has is told again.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        url: str,
        directory: Directory,
        card: Callable[[], NodeCard],
    ) -> None:
        """*card*: what this server says of itself now."""
        self.url = url
        self.directory = directory
        self.fault = "it was not reached yet"
        "Why Redis cannot be used, one clause; empty while it can."
        self.since = loop.time()
        "Since when that is so, monotonic clock, seconds."
        self._loop = loop
        self._card = card
        self._patient_until = 0.0
        "Servers that Redis does not know are kept until then: behind a Redis that has lost all, they come back one by one."
        self._streams: dict[str, float] = {}
        "Of this server."
        self._began: dict[str, float] = {}
        self._ended: set[str] = set()
        "Changes that Redis was not told."
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._speaking: list[asyncio.Task[None]] = []
        "What reads and writes while Redis is there."
        self._leaving = False
        self._odd: dict[str, str] = {}
        "What is wrong with the row of a server in Redis, by mark: each is logged once."
        self._odd_news = False
        "Somebody else writes to the channel, which is logged once."

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return masked(self.url)

    # --- this server ---

    def add(self, key: str) -> None:
        """This server has the stream *key*; no harm where it is known."""
        if key in self._streams:
            return
        self._streams[key] = self._began[key] = round(time.time(), 3)
        self._ended.discard(key)
        self._changed.set()

    def remove(self, key: str) -> None:
        """This server has it no more."""
        if self._streams.pop(key, None) is not None:
            self._began.pop(key, None)
            self._ended.add(key)
            self._changed.set()

    def have(self, keys: Collection[str]) -> None:
        """This server has the streams *keys*, and no others."""
        for key in self._streams.keys() - set(keys):
            self.remove(key)
        for key in set(keys) - self._streams.keys():
            self.add(key)

    def start(self) -> None:
        """Connect, and go on until `stop`."""
        self._task = self._loop.create_task(self._run())

    async def stop(self) -> None:
        """Take this server out of the directory, and close the connection."""
        task, self._task = self._task, None
        if task is None:
            return
        while not (task.done() or self._leaving):
            # `asyncio.wait_for` of Python 3.11 swallows a cancellation that comes together with what it waits for.
            for each in (task, *self._speaking):
                each.cancel()
            await asyncio.wait([task], timeout=limits.DIRECTORY_CANCEL_SECONDS)
        await asyncio.wait([task])

    # --- the connection ---

    async def _run(self) -> None:
        while True:
            try:
                await self._connect()
            except Exception as error:
                self._lost(error)
            await asyncio.sleep(limits.DIRECTORY_RETRY_SECONDS)

    async def _connect(self) -> None:
        # Its import reads some hundred files.
        await self._loop.run_in_executor(None, import_module, "redis.asyncio")
        async with opened_redis(self.url) as client:
            try:
                await self._serve(client)
            except asyncio.CancelledError:
                self._leaving = True
                await self._leave(client)
                raise

    async def _serve(self, client: Any) -> None:
        async with client.pubsub() as news:
            # First: no news may fall between the look at all and the first message.
            await news.subscribe(NEWS)
            await self._register(client)
            self._found()
            await self._read_all(client)
            async with asyncio.TaskGroup() as group:
                self._speaking = [
                    group.create_task(each) for each in (self._listen(client, news), self._renew(client))
                ]

    async def _leave(self, client: Any) -> None:
        mark = self.directory.mark
        try:
            async with asyncio.timeout(limits.DIRECTORY_ANSWER_SECONDS), client.pipeline() as pipe:
                pipe.delete(NODE + mark)
                pipe.srem(NODES, mark)
                pipe.publish(NEWS, json.dumps({"node": mark, "gone": True}))
                await pipe.execute()
        except Exception as error:
            log.info("directory %s: this server was not signed off: %s", self.shown, _reason(error))

    def _lost(self, error: Exception) -> None:
        fault = _reason(error)
        if self.fault != fault:
            log.warning(
                "directory %s is lost: %s; running streams go on, and %d servers are known as they were",
                self.shown, fault, len(self.directory),
            )  # fmt: skip
        if not self.fault:
            self.since = self._loop.time()
        self.fault = fault

    def _found(self) -> None:
        log.info("directory %s is there", self.shown)
        self._patient_until = self._loop.time() + limits.DIRECTORY_LEASE_SECONDS
        self.fault = ""
        self.since = self._loop.time()

    # --- writing ---

    async def _register(self, client: Any) -> None:
        """Write all that this server has, whatever stood there."""
        self._began.clear()
        self._ended.clear()
        self._changed.clear()
        mark, card, streams = self.directory.mark, self._card(), dict(self._streams)
        # Above each number that this process has given before.
        version = int(time.time() * 1000)
        key = NODE + mark
        async with client.pipeline() as pipe:
            pipe.delete(key)
            pipe.hset(key, mapping={"card": json.dumps(card.fields()), "version": version})
            if streams:
                pipe.hset(key, mapping={STREAM + each: since for each, since in streams.items()})
            pipe.expire(key, limits.DIRECTORY_LEASE_SECONDS)
            pipe.sadd(NODES, mark)
            pipe.publish(NEWS, json.dumps({"node": mark, "version": version}))
            await pipe.execute()
        self.directory.put(mark, card, version, streams)

    async def _renew(self, client: Any) -> None:
        """Tell changes as they come; renew the lease, and look at the others, from time to time."""
        due = self._loop.time() + limits.DIRECTORY_RENEW_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
            except TimeoutError:
                due = self._loop.time() + limits.DIRECTORY_RENEW_SECONDS
                if not await self._renew_lease(client):
                    await self._register(client)
                await self._read_all(client)
            if self._changed.is_set():
                await self._tell_changes(client)

    async def _renew_lease(self, client: Any) -> bool:
        """Return whether the lease was there to be renewed."""
        mark, card = self.directory.mark, self._card()
        self.directory.describe(mark, card)
        key = NODE + mark
        if not await client.expire(key, limits.DIRECTORY_LEASE_SECONDS):
            return False
        async with client.pipeline() as pipe:
            pipe.hset(key, "card", json.dumps(card.fields()))
            # Whoever saw the lease run out has taken the mark away.
            pipe.sadd(NODES, mark)
            await pipe.execute()
        return True

    async def _tell_changes(self, client: Any) -> None:
        self._changed.clear()
        began, self._began = self._began, {}
        ended, self._ended = self._ended, set()
        mark = self.directory.mark
        key = NODE + mark
        async with client.pipeline() as pipe:
            if began:
                pipe.hset(key, mapping={STREAM + each: since for each, since in began.items()})
            if ended:
                pipe.hdel(key, *(STREAM + each for each in ended))
            pipe.hincrby(key, "version", 1)
            pipe.expire(key, limits.DIRECTORY_LEASE_SECONDS)
            version = (await pipe.execute())[-2]
        if not self.directory.change(mark, version, began, ended):
            # The lease ran out, or somebody else wrote there.
            await self._register(client)
            return
        news = {"node": mark, "version": version, "began": began, "ended": sorted(ended)}
        await client.publish(NEWS, json.dumps(news))

    # --- reading ---

    async def _listen(self, client: Any, news: Any) -> None:
        while True:
            message = await news.get_message(
                ignore_subscribe_messages=True, timeout=limits.DIRECTORY_LEASE_SECONDS
            )
            if message is not None:
                await self._take(client, message["data"])

    async def _take(self, client: Any, data: str) -> None:
        news = News.read(data)
        if news is None:
            if not self._odd_news:
                log.warning("directory %s: messages on %s that are none of fastflv's", self.shown, NEWS)
            self._odd_news = True
        elif news.mark == self.directory.mark:
            return
        elif news.gone:
            self.directory.drop(news.mark)
        elif news.began is None or not self.directory.change(news.mark, news.version, news.began, news.ended):
            await self._read(client, news.mark)

    async def _read_all(self, client: Any) -> None:
        """Look at the lease of each server, and read those whose news were missed."""
        marks = await client.smembers(NODES)
        async with client.pipeline(transaction=False) as pipe:
            for mark in marks:
                pipe.hmget(NODE + mark, "version", "card")
            rows = await pipe.execute(raise_on_error=False) if marks else []
        for mark, row in zip(marks, rows, strict=True):
            if mark == self.directory.mark:
                continue
            if row == [None, None]:
                self._miss(mark)
                await client.srem(NODES, mark)
                continue
            try:
                version, card = read_row(*_row(row))
            except RowError as error:
                self._skip(mark, error)
                continue
            known = self.directory.node(mark)
            if known is None or known.version != version:
                await self._read(client, mark)
            else:
                self.directory.describe(mark, card)
        for node in list(self.directory):
            if node.mark not in marks:
                self._miss(node.mark)

    def _miss(self, mark: str) -> None:
        """Redis does not know the server."""
        self._odd.pop(mark, None)
        if mark != self.directory.mark and self._loop.time() >= self._patient_until:
            self.directory.drop(mark)

    def _skip(self, mark: str, error: RowError) -> None:
        """What Redis has of the server cannot be read: it counts as not there, and the others are read on."""
        why, known = str(error), self._odd.get(mark)
        self._miss(mark)
        if known is None and len(self._odd) >= limits.DIRECTORY_NODES_MAX:
            return
        self._odd[mark] = why
        if why != known:
            log.warning("directory %s: %s is left out: %s", self.shown, printable(NODE + mark), why)

    async def _read(self, client: Any, mark: str) -> None:
        if mark == self.directory.mark:
            return
        async with client.pipeline(transaction=False) as pipe:
            (fields,) = await pipe.hgetall(NODE + mark).execute(raise_on_error=False)
        if fields == {}:
            self._miss(mark)
            return
        try:
            fields = _row(fields)
            version, card = read_row(fields.get("version"), fields.get("card"))
        except RowError as error:
            self._skip(mark, error)
            return
        self._odd.pop(mark, None)
        found = {key[len(STREAM) :]: since for key, since in fields.items() if key.startswith(STREAM)}
        self.directory.put(mark, card, version, streams_of(found))


def _row(answer: Any) -> Any:
    """Return what Redis answers about one server. Raises RowError where the key is of another type."""
    if isinstance(answer, Exception):
        if "WRONGTYPE" in str(answer):
            raise RowError("the key is no hash")
        raise answer
    return answer


def _reason(error: BaseException) -> str:
    """Why Redis cannot be used, without what may be secret."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    # Behind the command of a pipeline, which holds keys and values.
    text = str(error).rpartition("of pipeline caused error: ")[2]
    return masked(text or type(error).__name__).rstrip(".")
