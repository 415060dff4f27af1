"""One HTTP request and its answer, whatever carries them: an HTTP/1 connection, or one stream of several.

A handler is called with an Exchange when the head of a request is complete. It answers at once or later, by
exactly one of `respond`, `respond_file`, `respond_stream`, `take_socket` and `upgrade`. An answer that comes
after the client is lost, or after another answer, is ignored.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from fastflv import limits
from fastflv.net.networkset import NetworkSet
from fastflv.protocols.http.crossdomain import CrossDomain
from fastflv.protocols.http.message import Request, Response


class BodySink(Protocol):
    """Receives the body of a request."""

    def data(self, chunk: bytes) -> None:
        """Take the next bytes, never empty."""

    def ended(self, whole: bool) -> None:
        """Called once, last, unless the answer is complete before. *whole*: the body was read to its end.

        Otherwise the client is lost, or was refused for what it sent.
        """


class TakenSocket(NamedTuple):
    """A socket that belongs to the caller."""

    fd: int
    "Descriptor, not blocking; the caller closes it, then leaves the connection limit."
    head: bytes
    "Response head; the caller sends it first."
    chunked: bool
    "The body is sent as chunks (RFC 9112, 7.1); otherwise its end is that of the connection."


class UpgradedProtocol(Protocol):
    """What reads a connection after an upgrade; an `asyncio.Protocol` is one."""

    def connection_made(self, transport: Any) -> None: ...
    def data_received(self, data: bytes) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...


class BodyWriter(ABC):
    """The body of an answer, written piece by piece."""

    on_full: Callable[[], None] | None = None
    "Called when more is buffered than `respond_stream` allowed; further writes are taken, and grow the buffer."

    on_drain: Callable[[], None] | None = None
    "Called when the buffer is nearly empty after `on_full`: a quarter of the bound at most."

    @property
    @abstractmethod
    def buffered(self) -> int:
        """Bytes written that the kernel has not taken."""

    @property
    @abstractmethod
    def socket(self) -> Any:
        """The socket, to pace it and to ask for unacknowledged bytes; None where answers share one."""

    @abstractmethod
    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send *data*. Ignored after `end`, `abort`, or the loss of the client."""

    @abstractmethod
    def end(self) -> None:
        """Complete the answer. The connection goes on with its next request where it can."""

    @abstractmethod
    def abort(self) -> None:
        """Break the answer off, so that the client sees that it is incomplete. Buffered bytes are dropped."""


class Exchange(ABC):
    """One request and its answer."""

    __slots__ = ("cross_domain", "on_lost", "request")

    def __init__(self, request: Request, *, cross_domain: CrossDomain) -> None:
        self.request = request
        self.cross_domain = cross_domain
        "What pages of other sites may do with the resource."
        self.on_lost: Callable[[], None] | None = None
        """Called once when the client is lost, or refused for what it sent, before its answer is complete.
        Not called after `take_socket` and `upgrade`, nor for answers that the caller broke off."""

    @property
    def scheme(self) -> str:
        """`http` or `https`, as the viewer asked; a trusted proxy may have ended the TLS."""
        return "https" if self.request.peer.secure else "http"

    @property
    @abstractmethod
    def secure(self) -> bool:
        """The connection to this server uses TLS."""

    @property
    @abstractmethod
    def answered(self) -> bool:
        """An answer was begun."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """The answer is complete, as far as its writer is concerned."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """The client is lost or was refused."""

    # --- the body of the request ---

    @abstractmethod
    def read(self, sink: BodySink, *, idle: float | None = limits.HTTP_IDLE_SECONDS) -> None:
        """Deliver the body to *sink*, never before this call returns. Call it once at most.

        A client that expects it gets `100 Continue` now. Until `read` is called, and between `pause` and
        `resume`, the body is not read from the socket, and a lost client may stay unnoticed.
        *idle*: seconds without data, not counted while paused, after which the client is dropped; None: no bound here.
        """

    @abstractmethod
    def pause(self) -> None:
        """Deliver no more of the body; at most one read of the socket waits."""

    @abstractmethod
    def resume(self) -> None:
        """Go on delivering."""

    # --- the answer ---

    @abstractmethod
    def break_off(self) -> None:
        """End an answer that cannot be completed, so that the client sees that it is not whole."""

    @abstractmethod
    def respond(self, response: Response) -> None:
        """Answer with a body in memory. HEAD is answered with the head alone."""

    @abstractmethod
    def respond_file(
        self,
        head: Response,
        file: str | int,
        offset: int = 0,
        size: int | None = None,
        *,
        missing: Response,
        before: bytes = b"",
        released: Callable[[], None] | None = None,
    ) -> None:
        """Answer with *before*, and *size* bytes of a file from *offset* on; None: to its end.

        *file*: its path, or an open descriptor, which is closed by this call or later in any case.
        *released* is called once, in any case, when *before* is held no more.
        *missing* is the answer when the file is a link, cannot be opened or does not have these bytes. A file
        that becomes shorter meanwhile breaks the answer off.
        """

    @abstractmethod
    def respond_stream(
        self,
        head: Response,
        *,
        buffer: int = limits.HTTP_STREAM_BYTES,
        idle: float | None = limits.HTTP_IDLE_SECONDS,
    ) -> BodyWriter | None:
        """Begin an answer whose body is written piece by piece; None when the client is lost.

        Where `head.size` is given, so many bytes are written before `BodyWriter.end`.
        *buffer*: bytes, 1 at least: with so many buffered `BodyWriter.on_full` is called.
        *idle*: seconds in which a client takes nothing of a full buffer before it is dropped; None: no bound here.
        """

    @abstractmethod
    def take_socket(self, head: Response) -> TakenSocket | None:
        """Take the socket away, for a sender thread. The caller owns the descriptor and the place in the limit.

        None where that cannot be: TLS, HTTP/2, an unread body, a lost client. Use `respond_stream` then,
        unless `answered`: a server without descriptors has answered 503.
        """

    @property
    @abstractmethod
    def leave(self) -> Callable[[], None]:
        """What gives back the place in the connection limit that `upgrade` hands over; it does nothing where streams share one."""

    @abstractmethod
    def upgrade(self, protocol: UpgradedProtocol, fields: dict[str, str]) -> bool:
        """Answer that the upgrade is done, with *fields*, and hand the connection, or the stream, over to *protocol*.

        Calls its `connection_made` at once, and `data_received` later with what came behind the request.
        *protocol* calls `leave`, taken before, when its connection is lost. False when the client is lost, or cannot upgrade.
        """


class Handler(Protocol):
    """Answers requests, at once or later."""

    def cross_domain(self, request: Request, /) -> CrossDomain:
        """Return what pages of other sites may do with the resource of a request."""

    @property
    def trusted(self) -> NetworkSet:
        """Proxies whose X-Forwarded-For and the like are believed."""

    def __call__(self, exchange: Exchange, /) -> None: ...
