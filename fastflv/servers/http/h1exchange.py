"""The exchange of an HTTP/1.x connection: at most one of a connection is unanswered."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from fastflv import limits
from fastflv.net.deadline import Deadline
from fastflv.protocols.http.crossdomain import CrossDomain
from fastflv.protocols.http.exchange import BodySink, TakenSocket, UpgradedProtocol
from fastflv.protocols.http.heads import CONTINUE, sized_head, stream_head, upgrade_head
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.http.bodywriter import H1BodyWriter
from fastflv.servers.http.filesend import SocketFileSend, TransportFileSend
from fastflv.servers.http.stages import Stage, StagedExchange, drop_file

if TYPE_CHECKING:
    from fastflv.servers.http.connection import HttpConnection

log = logging.getLogger(__name__)


class H1Exchange(StagedExchange[H1BodyWriter]):
    """One request of a connection. `HttpConnection` calls what is below "of the connection"."""

    __slots__ = ("_connection", "_taken", "last")

    def __init__(self, connection: HttpConnection, request: Request, *, cross_domain: CrossDomain) -> None:
        super().__init__(request, cross_domain=cross_domain)
        self._connection = connection
        self._taken = 0
        "Bytes of the body that were delivered or read away."
        self.last = False
        "The connection closes after this answer."

    @property
    def secure(self) -> bool:
        return self._connection.secure

    @property
    def connection(self) -> HttpConnection:
        return self._connection

    @property
    def left(self) -> int | None:
        """Bytes of the body that are to come; None where only its end tells."""
        length = self.request.length
        return length - self._taken if length is not None else None

    @property
    def undecided(self) -> bool:
        """Neither answered nor asked for its body: it waits for the gate."""
        return self._stage is Stage.NONE and self._sink is None

    @property
    def closed(self) -> bool:
        return self._gone or self._connection.transport is None

    # --- the body of the request ---

    def read(self, sink: BodySink, *, idle: float | None = limits.HTTP_IDLE_SECONDS) -> None:
        if self.closed or self._stage is Stage.DONE:
            return
        self._sink = sink
        self._idle = idle
        if self.whole:
            self._connection.loop.call_soon(self._end_body)
            return
        if self._expects:
            self._expects = False
            # After the final head, an interim answer would be read as part of the body.
            if self._stage is Stage.NONE:
                self._connection.write(CONTINUE)
        self._expect_data()
        self._deliver_soon()

    @property
    def _deadline(self) -> Deadline:
        return self._connection.deadline

    def _deliver_soon(self) -> None:
        self._connection.loop.call_soon(self._connection.drive)

    def _end_body(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.ended(True)

    # --- of the connection: the body of the request ---

    def takes(self, data: bool) -> bool:
        """Whether a piece of the body, or its end, can be delivered now."""
        if self._stage is Stage.DONE:
            return True
        if self._sink is None:
            return not data
        return not self._paused

    def deliver(self, data: bytes) -> None:
        self._taken += len(data)
        if self._sink is not None:
            self._expect_data()
            self._sink.data(data)

    def deliver_end(self) -> None:
        self.whole = True
        if self._stage is Stage.NONE:
            self._connection.deadline.clear()
        self._end_body()

    # --- the answer ---

    def respond(self, response: Response) -> None:
        if self._stage is not Stage.NONE or self.closed:
            return
        body = response.body
        kept = response.kept if "origin" not in self.request.headers else None
        last = not self._may_keep()
        head = kept.get(last) if kept is not None else None
        if head is not None:
            self._stage = Stage.BEGUN
            self.last = last
        else:
            response = self._begin(response)
            head = sized_head(response, len(body), keep_alive=not self.last)
            if kept is not None:
                kept[last] = head
        if self.request.method == "HEAD":
            self._connection.write(head)
        elif len(body) > limits.HTTP_COPY_BYTES_MAX:
            self._connection.write(head)
            self._connection.write(body)
        else:
            self._connection.write(head + body)
        self.complete()

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
        if self._stage is not Stage.NONE or self.closed:
            drop_file(file, released)
            return
        head = self._begin(head)
        connection = self._connection
        head_only = self.request.method == "HEAD"
        ahead = len(before)

        def head_of(size: int) -> bytes:
            return sized_head(head, ahead + size, keep_alive=not self.last)

        if head_only:
            before = b""
        absent = partial(self._file_absent, missing)
        whole = (connection.files, file, offset, size, head_of, self._file_done, absent, before, released)
        send: SocketFileSend | TransportFileSend
        if self.secure or head_only:
            send = TransportFileSend(*whole)
            send.take(connection.write, lambda: connection.full, head_only=head_only)
        else:
            try:
                socket = os.dup(connection.fileno())
            except OSError as error:
                drop_file(file, released)
                self._stage = Stage.NONE
                self._refuse_descriptor(error)
                return
            send = SocketFileSend(*whole)
            send.take(socket)
        self._file = send
        connection.watch()
        if isinstance(send, TransportFileSend) or connection.flush():
            send.start()

    def _file_done(self, error: BaseException | None) -> None:
        self._file = None
        if error is None:
            self.complete()
        elif isinstance(error, ConnectionError):
            self._connection.abort()
        else:
            self._file_failed(error)

    def respond_stream(
        self,
        head: Response,
        *,
        buffer: int = limits.HTTP_STREAM_BYTES,
        idle: float | None = limits.HTTP_IDLE_SECONDS,
    ) -> H1BodyWriter | None:
        if self._stage is not Stage.NONE or self.closed:
            return None
        head = self._begin(head)
        sized = head.size is not None
        chunked = not sized and self.request.version == "1.1" and self.request.keep_alive
        self.last = self.last or not (chunked or sized)
        data = stream_head(head, chunked=chunked, keep_alive=not self.last)
        self._connection.deadline.clear()
        self._writer = writer = H1BodyWriter(self, chunked, idle)
        self._connection.limit_buffer(buffer)
        self._connection.write(data)
        return writer

    def take_socket(self, head: Response) -> TakenSocket | None:
        request = self.request
        body_left = not self.whole and request.length != 0
        if self._stage is not Stage.NONE or self.closed or self.secure or body_left:
            return None
        try:
            fd = os.dup(self._connection.fileno())
        except OSError as error:
            self._refuse_descriptor(error)
            return None
        chunked = request.version == "1.1" and request.keep_alive
        kept = head.kept if "origin" not in request.headers else None
        data = kept.get(chunked) if kept is not None else None
        if data is None:
            data = stream_head(self._begin(head), chunked=chunked, keep_alive=False)
            if kept is not None:
                kept[chunked] = data
        self._stage = Stage.DONE
        self._gone = True
        self.on_lost = None
        self._connection.let_go()
        return TakenSocket(fd, data, chunked)

    @property
    def leave(self) -> Callable[[], None]:
        return self._connection.leave

    def upgrade(self, protocol: UpgradedProtocol, fields: dict[str, str]) -> bool:
        if self._stage is not Stage.NONE or self.closed or not self.request.upgrade:
            return False
        self._stage = Stage.DONE
        self._gone = True
        self.on_lost = None
        self._connection.hand_over(protocol, upgrade_head(self.request.upgrade, fields))
        return True

    def _refuse_descriptor(self, error: OSError) -> None:
        log.error(
            "no descriptor for an answer: %s; raise the limit of open files (ulimit -n)", error.strerror
        )
        self.respond(Response.of_text(503, "the server is out of descriptors"))

    def _begin(self, head: Response) -> Response:
        """Begin the answer; return its head with what all answers have."""
        self._stage = Stage.BEGUN
        self.last = not self._may_keep() or head.headers.get("Connection", "").lower() == "close"
        return self._with_cors(head)

    def _may_keep(self) -> bool:
        request = self.request
        if not request.keep_alive or self._connection.leaving:
            return False
        if self.whole or request.length == 0:
            return True
        # A client that waits for 100 may send its body or not; one that sends chunks may go on for ever.
        if self._expects or request.length is None:
            return False
        return request.length - self._taken <= limits.HTTP_BODY_BYTES_MAX

    def complete(self) -> None:
        """The whole answer is handed to the transport or the socket."""
        self._stage = Stage.DONE
        self.on_lost = None
        self._sink = None
        self._writer = None
        self._connection.answered(self)

    # --- of the connection: the answer ---

    @property
    def unsent(self) -> int:
        """Bytes of a file that are not handed over."""
        return self._file.left if self._file is not None else 0

    def full(self) -> None:
        writer = self._writer
        if writer is not None and not writer.over:
            if writer.idle is not None:
                self._connection.watch(writer.idle)
            if writer.on_full is not None:
                writer.on_full()

    def drained(self) -> None:
        writer = self._writer
        if isinstance(self._file, TransportFileSend):
            self._file.resume()
        elif self._file is not None and not self._file.started:
            self._file.start()
        elif writer is not None and not writer.over:
            self._connection.deadline.clear()
            if writer.on_drain is not None:
                writer.on_drain()

    def _cut(self) -> None:
        self._connection.abort()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._connection.write(data, urgent=True)

    @property
    def buffered(self) -> int:
        """Bytes of answers that the kernel has not taken."""
        return self._connection.buffered

    @property
    def transport(self) -> asyncio.Transport | None:
        return self._connection.transport
