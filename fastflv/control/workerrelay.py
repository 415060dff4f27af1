"""Requests of HLS viewers, passed on to the worker that makes the segments of their stream.

Each request of a viewer may come to another worker, while numbers of segments and the session of the viewer are of one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Final
from urllib.parse import quote

from fastflv import limits
from fastflv.cluster.address import WORKER
from fastflv.errors import HttpReplyError
from fastflv.net.peer import Peer
from fastflv.protocols.http.exchange import BodyWriter, Exchange
from fastflv.protocols.http.message import Request, Response
from fastflv.protocols.http.reply import Reply
from fastflv.servers.http.dispatch import fail

HOST: Final = "127.0.0.1"

VIEWER: Final = "Fastflv-Viewer"
"Field of a request that is passed on: whose it is, as `viewer_of` reads it."

_HOP: Final = frozenset(
    (
        "connection", "content-length", "date", "expect", "keep-alive", "server", "te", "trailer",
        "transfer-encoding", "upgrade", WORKER.lower(), VIEWER.lower(),
    )
)  # fmt: skip
"Fields of one connection alone (RFC 9110, 7.6.1), and those that each worker writes itself."

_PATH_SAFE: Final = "/!$&'()*+,;=:@~"
_QUERY_SAFE: Final = _PATH_SAFE + "?%"

_NO_HOST: Final = "-"
"Host of a request of HTTP/1.0 that names none: no vhost has it."


class Link:
    """One connection to another worker, which carries one request at a time."""

    __slots__ = ("reader", "writer")

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @property
    def is_usable(self) -> bool:
        """Off where the other end has closed it meanwhile."""
        return not (self.reader.at_eof() or self.writer.is_closing())


class WorkerRelay:
    """Passes requests on to the private ports of other workers, and their answers back."""

    def __init__(self, loop: asyncio.AbstractEventLoop, secret: str) -> None:
        self._loop = loop
        self._secret = secret
        self._idle: dict[int, list[Link]] = {}
        "Connections for the next requests, by port."
        self._tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """Pass nothing on any more; who waits is disconnected by the server that stops."""
        for task in self._tasks:
            task.cancel()
        for links in self._idle.values():
            for link in links:
                link.writer.close()
        self._idle = {}

    def send(self, exchange: Exchange, port: int) -> None:
        """Answer *exchange* as the worker with that private port does."""
        task = self._loop.create_task(self._pass(exchange, port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        exchange.on_lost = partial(_cancel, task)

    async def _pass(self, exchange: Exchange, port: int) -> None:
        link: Link | None = None
        try:
            reply, pieces = Reply(), list[bytes]()
            async with asyncio.timeout(limits.WORKER_RELAY_SECONDS):
                link, data = await self._ask(exchange.request, port)
                pieces += reply.feed(data)
                while not reply.status:
                    pieces += reply.feed(await _read(link))
            await self._answer(exchange, link, reply, pieces)
            if reply.complete and link.is_usable:
                idle = self._idle.setdefault(port, [])
                if len(idle) < limits.WORKER_RELAY_LINKS:
                    idle.append(link)
                    link = None
        except (OSError, TimeoutError, HttpReplyError):
            if exchange.answered:
                exchange.break_off()
            else:
                exchange.respond(unavailable())
        except Exception:
            fail(exchange)
        finally:
            exchange.on_lost = None
            if link is not None:
                link.writer.close()

    async def _ask(self, request: Request, port: int) -> tuple[Link, bytes]:
        """Send a request; return the connection, and the first of its answer. Raises OSError."""
        head = _head(request, self._secret)
        idle = self._idle.get(port, [])
        while idle:
            link = idle.pop()
            if not link.is_usable:
                link.writer.close()
                continue
            # Closed meanwhile, with nothing answered: these requests change nothing.
            with contextlib.suppress(OSError):
                return link, await _answer_to(link, head)
        link = await _opened(port)
        return link, await _answer_to(link, head)

    async def _answer(self, exchange: Exchange, link: Link, reply: Reply, pieces: list[bytes]) -> None:
        fields = {name: value for name, value in reply.fields.items() if name not in _HOP}
        head = Response(reply.status, content_type=fields.pop("content-type", ""), headers=fields)
        length = reply.fields.get("content-length")
        if length is not None:
            head.size = int(length)
        if exchange.request.method == "HEAD":
            head.endless = head.size is None
            exchange.respond(head)
            return
        # One that is complete with its head, as 304 is, has no length.
        if reply.complete or (head.size is not None and head.size <= limits.WORKER_RELAY_BYTES):
            while not reply.complete:
                pieces += reply.feed(await _read_on(link))
            head.body = b"".join(pieces)
            exchange.respond(head)
            return
        writer = exchange.respond_stream(head)
        if writer is not None:
            await self._stream(writer, link, reply, pieces)

    async def _stream(self, writer: BodyWriter, link: Link, reply: Reply, pieces: list[bytes]) -> None:
        room = asyncio.Event()
        room.set()
        writer.on_full, writer.on_drain = room.clear, room.set
        while True:
            for piece in pieces:
                writer.write(piece)
            if reply.complete:
                break
            await room.wait()
            pieces = reply.feed(await _read_on(link))
        writer.on_full = writer.on_drain = None
        writer.end()


async def ask(port: int, head: bytes) -> bytes:
    """Return the body of the answer of a worker, whole. *head*: as `request_head` makes it.

    Raises OSError, also for another status than 200, TimeoutError and HttpReplyError.
    """
    reply, body = Reply(), bytearray()
    async with asyncio.timeout(limits.WORKER_ANSWER_SECONDS):
        link = await _opened(port)
        try:
            body += b"".join(reply.feed(await _answer_to(link, head)))
            while not reply.complete:
                body += b"".join(reply.feed(await _read(link)))
        finally:
            link.writer.close()
    if reply.status != 200:
        raise ConnectionError(f"status {reply.status}")
    return bytes(body)


def unavailable() -> Response:
    """Return the answer to a viewer whose stream is at a worker that does not answer."""
    return Response.of_text(503, "the worker that has the stream does not answer", Retry_After="1")


def viewer_of(text: str, own: Peer) -> Peer:
    """Return whose request was passed on, as its `VIEWER` field says; *own*: of the connection between the workers."""
    told = json.loads(text) if text else {}
    return Peer(**told, relayed=True) if told else own


def request_head(method: str, target: str, secret: str, fields: Mapping[str, str]) -> bytes:
    """Return a request to the private port of a worker."""
    # Of equal names the first counts.
    lines = [f"{method} {target} HTTP/1.1", f"{WORKER}: {secret}"]
    lines += (f"{name}: {value}" for name, value in fields.items())
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _head(request: Request, secret: str) -> bytes:
    peer = {name: value for name, value in asdict(request.peer).items() if name not in ("own", "relayed")}
    target = quote(request.path, safe=_PATH_SAFE)
    if request.query:
        # What viewers send is not always encoded as it should be.
        target += "?" + quote(request.query, safe=_QUERY_SAFE, encoding="latin-1")
    fields = {name: value for name, value in request.headers.items() if name not in _HOP}
    fields.setdefault("host", _NO_HOST)
    return request_head(request.method, target, secret, {VIEWER: json.dumps(peer)} | fields)


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


async def _opened(port: int) -> Link:
    return Link(*await asyncio.open_connection(HOST, port, limit=limits.RECEIVE_BYTES))


async def _read(link: Link) -> bytes:
    """Return what comes next. Raises ConnectionResetError where nothing does."""
    data = await link.reader.read(limits.RECEIVE_BYTES)
    if not data:
        raise ConnectionResetError("the worker closed the connection")
    return data


async def _read_on(link: Link) -> bytes:
    """Return what comes next of a body. Raises TimeoutError where a worker that has begun it falls silent."""
    async with asyncio.timeout(limits.WORKER_BODY_SECONDS):
        return await _read(link)


async def _answer_to(link: Link, head: bytes) -> bytes:
    """Send a request and return the first of its answer; close the link where none comes, or nobody waits for it."""
    try:
        link.writer.write(head)
        return await _read(link)
    except BaseException:
        link.writer.close()
        raise
