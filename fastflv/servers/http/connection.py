"""HTTP/1.x connections: httptools reads, a handler answers, a live response takes the socket away."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import struct
import termios
from collections.abc import Callable
from typing import Protocol
from urllib.parse import unquote

import httptools

from fastflv import limits
from fastflv.net.connectionlimit import Seats, address_of
from fastflv.protocols.http.message import Request, Response, cors_fields

log = logging.getLogger(__name__)

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")


class Handler(Protocol):
    """Answers requests. Returns a response, or None when it keeps the connection and answers later
    through `HttpConnection.answer` or `HttpConnection.detach`."""

    cross_domain: bool

    def __call__(self, request: Request, connection: HttpConnection) -> Response | None: ...


class HttpConnection(asyncio.Protocol):
    """One HTTP connection: requests are answered one at a time, in order."""

    __slots__ = (
        "_body", "_connection_limit", "_fed", "_field_bytes", "_fields", "_full", "_handler", "_loop", "_parser",
        "_refused", "_request", "_successor", "_timer", "_transport", "_url", "_waiting", "on_lost",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, handler: Handler, connection_limit: Seats) -> None:
        self._loop = loop
        self._handler = handler
        self._connection_limit = connection_limit
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._fields: dict[str, str] = {}
        self._field_bytes = 0
        self._body = b""
        self._request: Request | None = None
        self._waiting: list[Request] = []
        self._timer: asyncio.TimerHandle | None = None
        self._refused = False
        self._fed = 0
        "Bytes of the message that is being read; those of the read that it began in are not counted."
        self._full = False
        self._successor: asyncio.Protocol | None = None
        self.on_lost: Callable[[], None] | None = None
        "Called once when the connection ends, or is refused, while its request waits for an answer."

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        if not self._connection_limit.enter():
            log.warning("http connection refused: all %d are taken", self._connection_limit.limit)
            self._transport = None
            transport.close()
            return
        self._arm()

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._refused:
            return
        self._fed += len(data)
        try:
            while data and self._transport is not None and not self._refused:
                data = self._parse(data)
        except httptools.HttpParserError as error:
            self._refuse(400, f"not an HTTP request: {error}")
        # httptools keeps a field until its end, in a head and behind a body, so an endless one is counted here.
        # What frames a body may take as much as the body.
        if self._fed - len(self._body) > limits.HTTP_HEAD_BYTES_MAX + limits.HTTP_BODY_BYTES_MAX:
            self._refuse(431, "request head or trailer too large")

    def _parse(self, data: bytes) -> bytes:
        """Read requests; return what follows one that asked for an upgrade and did not get it."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if self._successor is None:
                # The parser reads nothing behind an upgrade.
                self._parser = httptools.HttpRequestParser(self)
                return rest
            if rest:
                self._successor.data_received(rest)
        return b""

    def pause_writing(self) -> None:
        # Who asks and does not read is not read either: answers must not pile up.
        self._full = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._full = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        if self._transport is not None:
            self._transport = None
            self._connection_limit.leave()
        self._give_up()

    # --- httptools ---

    def on_message_begin(self) -> None:
        self._fed = 0
        self._url = b""
        self._fields = {}
        self._field_bytes = 0
        self._body = b""
        if self._request is None and not self._waiting and not self._refused:
            # From its first byte on, a request has no more time than the first one had.
            self._arm()

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        self._fields.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > limits.HTTP_BODY_BYTES_MAX:
            self._refuse(413, "request body too large")

    def on_message_complete(self) -> None:
        self._fed = 0
        if self._transport is None or self._refused:
            return
        path, _, query = self._url.decode("latin-1").partition("?")
        if "://" in path[:8]:
            path = "/" + path.split("://", 1)[1].partition("/")[2]
        request = Request(
            method=self._parser.get_method().decode("latin-1"),
            path=unquote(path),
            query=query.partition("#")[0],
            version=self._parser.get_http_version(),
            headers=self._fields,
            keep_alive=self._parser.should_keep_alive(),
            ip=address_of(self._transport),
            body=self._body,
        )
        if self._request is not None or self._full:
            if len(self._waiting) == limits.HTTP_PIPELINE_MAX:
                self._refuse(429, "too many requests at once")
                return
            self._waiting.append(request)
            return
        self._handle(request)

    # --- answering ---

    def answer(self, response: Response) -> None:
        """Answer the request in hand; go on with the next one that came meanwhile. A refused client has its answer."""
        request, self._request = self._request, None
        if self._transport is None or self._refused or request is None:
            return
        if self._handler.cross_domain:
            response.headers.update(cors_fields(request))
        head_only = request.method == "HEAD"
        self._transport.write(response.encode(keep_alive=request.keep_alive, head_only=head_only))
        if response.is_large and not head_only:
            self._transport.write(response.body)
        if not request.keep_alive:
            self.close()
            return
        self._arm(answered=True)
        self._next()

    def detach(self) -> int | None:
        """Take the socket away for a live response: return a duplicate of its descriptor, or None when the
        connection is gone. The caller owns the descriptor and the seat at the connection_limit; this object is of no more use."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return None
        try:
            fd = os.dup(transport.get_extra_info("socket").fileno())
        except OSError as error:
            log.error(
                "no descriptor for a player: %s; raise the limit of open files (ulimit -n)", error.strerror
            )
            self.answer(Response.of_text(503, "the server is out of descriptors"))
            return None
        self._transport = None
        self._disarm()
        # The duplicate keeps the connection: closing this descriptor sends nothing.
        transport.abort()
        return fd

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport, None when the connection is gone."""
        if self._transport is None or self._transport.is_closing():
            return None
        return self._transport

    def hand_over(self, successor: asyncio.Protocol) -> None:
        """Let *successor* read the connection from now on. It takes over the seat at the connection_limit too."""
        assert self._transport is not None
        transport, self._transport = self._transport, None
        self._disarm()
        self._successor = successor
        transport.set_protocol(successor)

    @property
    def is_secure(self) -> bool:
        """Behind TLS."""
        return self._transport is not None and self._transport.get_extra_info("sslcontext") is not None

    def close(self) -> None:
        """Close when everything written is sent."""
        self._disarm()
        if self._transport is not None:
            self._transport.close()
            self._watch_rest()

    @property
    def cross_domain(self) -> bool:
        """Pages of other sites may read the answers."""
        return self._handler.cross_domain

    @property
    def closed(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def _next(self) -> None:
        """Handle the next request that came meanwhile, if the client reads its answers."""
        if self._waiting and self._request is None and not self._full:
            self._handle(self._waiting.pop(0))

    def _handle(self, request: Request) -> None:
        self._disarm()
        self._request = request
        if request.method == "OPTIONS" and self._handler.cross_domain:
            self.answer(Response())
            return
        if request.method not in METHODS:
            self.answer(Response.of_text(405, Allow=", ".join(METHODS)))
            return
        if ".." in request.path.split("/") or "\0" in request.path:
            self.answer(Response.of_text(400, "the path leaves the root"))
            return
        try:
            response = self._handler(request, self)
        except Exception:
            log.exception("request %s %s failed", request.method, request.path)
            response = Response.of_text(500)
        if response is not None:
            self.answer(response)

    def _refuse(self, status: int, why: str) -> None:
        if self._transport is None or self._refused:
            return
        self._refused = True
        log.info("http %s: %s", address_of(self._transport), why)
        self._waiting.clear()
        self._give_up()
        self._transport.write(Response.of_text(status, why).encode(keep_alive=False))
        # Closing with bytes unread would reset the connection, and the answer with it: read them away for a while.
        # TLS has no half-closed connections; there the end comes with the timer.
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._disarm()
        self._timer = self._loop.call_later(limits.HTTP_LINGER_SECONDS, self._transport.abort)

    def _give_up(self) -> None:
        """Nobody reads the answer that is waited for."""
        lost, self.on_lost = self.on_lost, None
        if lost is not None:
            lost()

    def _count(self, n: int) -> None:
        self._field_bytes += n
        if self._field_bytes > limits.HTTP_HEAD_BYTES_MAX:
            self._refuse(431, "request head too large")

    def _arm(self, *, answered: bool = False) -> None:
        """Close the connection unless it asks, or reads, before long; later when an *answered* one has read it all."""
        self._disarm()
        unsent = self._unsent
        seconds = limits.HTTP_KEEP_SECONDS if answered and not unsent else limits.HTTP_IDLE_SECONDS
        self._timer = self._loop.call_later(seconds, self._idle, unsent)

    @property
    def _unsent(self) -> int:
        """Bytes that the client has not taken, 0 when the kernel has them all."""
        transport = self._transport
        unsent = transport.get_write_buffer_size() if transport is not None else 0
        if not unsent or transport is None:
            return 0
        # The kernel takes megabytes at a time: what it holds tells sooner that a slow client reads.
        queued = struct.pack("i", 0)
        with contextlib.suppress(OSError):
            queued = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, queued)
        return unsent + int(struct.unpack("i", queued)[0])

    def _idle(self, unsent: int) -> None:
        """Close when nothing was asked, or taken of the last answer, since *unsent* bytes of it were left."""
        if self._unsent < unsent:
            self._arm(answered=True)
            return
        if self._unsent and self._transport is not None:
            # It does not read: a polite close would wait for it for ever.
            self._transport.abort()
        self.close()

    def _watch_rest(self) -> None:
        """See that the rest of an answer goes out, however slowly, and does not wait for ever."""
        if self._unsent:
            self._timer = self._loop.call_later(limits.HTTP_IDLE_SECONDS, self._look_at_rest, self._unsent)

    def _look_at_rest(self, unsent: int) -> None:
        if self._transport is None:
            return
        if self._unsent < unsent:
            self._watch_rest()
        else:
            self._transport.abort()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
