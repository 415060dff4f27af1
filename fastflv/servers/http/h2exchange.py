"""The exchange of one stream of an HTTP/2 connection."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from fastflv import limits
from fastflv.net.deadline import Deadline
from fastflv.protocols.http.crossdomain import CrossDomain
from fastflv.protocols.http.exchange import BodySink, UpgradedProtocol
from fastflv.protocols.http.h2 import Piece
from fastflv.protocols.http.h2budget import ErrorCode
from fastflv.protocols.http.heads import h2_head
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.http.bodywriter import H2BodyWriter
from fastflv.servers.http.filesend import TransportFileSend
from fastflv.servers.http.h2stream import H2Stream
from fastflv.servers.http.h2transport import H2Transport
from fastflv.servers.http.stages import Stage, StagedExchange, drop_file

if TYPE_CHECKING:
    from fastflv.servers.http.h2connection import H2Connection


class H2Exchange(StagedExchange[H2BodyWriter]):
    """One request of a connection. `H2Connection` calls what is below "of the connection"."""

    __slots__ = ("_connection", "_held", "_pumping", "_tunnel", "stream")

    def __init__(
        self, connection: H2Connection, number: int, request: Request, *, cross_domain: CrossDomain
    ) -> None:
        """*number*: of the stream."""
        super().__init__(request, cross_domain=cross_domain)
        self._connection = connection
        self.stream = H2Stream(connection, number, self)
        self._pumping = False
        self._held: deque[Piece] = deque()
        "Pieces of the body that were not delivered; the window of the stream bounds them."
        self._tunnel: H2Transport | None = None
        "What reads the stream after an upgrade."

    @property
    def secure(self) -> bool:
        return True

    @property
    def closed(self) -> bool:
        return self._gone or self._connection.transport is None

    # --- the body of the request ---

    def read(self, sink: BodySink, *, idle: float | None = limits.HTTP_IDLE_SECONDS) -> None:
        if self.closed or self._stage is Stage.DONE:
            return
        self._sink = sink
        self._idle = idle
        if self._expects:
            self._expects = False
            # After the final head, an interim answer would be read as part of it.
            if self._stage is Stage.NONE:
                self._connection.send_head(self.stream, [(":status", "100")])
        self._expect_data()
        self._deliver_soon()

    @property
    def _deadline(self) -> Deadline:
        return self.stream.deadline

    def _deliver_soon(self) -> None:
        if not self._pumping:
            self._pumping = True
            self._connection.loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Deliver what is held, and the end behind it."""
        self._pumping = False
        while self._held and self._sink is not None and not self._paused:
            piece = self._held.popleft()
            self._expect_data()
            self._connection.taken(piece)
            self._sink.data(piece.data)
        if self.whole and not self._held and not self._paused:
            if self._stage is Stage.NONE:
                self.stream.deadline.clear()
            sink, self._sink = self._sink, None
            if sink is not None:
                sink.ended(True)

    # --- of the connection: the body of the request ---

    def deliver(self, piece: Piece) -> None:
        """Take a piece of the body."""
        if self._tunnel is not None:
            self._tunnel.deliver(piece)
            return
        if self._stage is Stage.DONE or not piece.data:
            self._connection.taken(piece)
            return
        self._held.append(piece)
        if self._sink is not None and not self._pumping:
            self._pump()

    def deliver_end(self) -> None:
        """Take the end of the request."""
        self.whole = True
        if self._tunnel is not None:
            self._tunnel.deliver_end()
            return
        if not self._pumping:
            self._pump()

    # --- the answer ---

    def respond(self, response: Response) -> None:
        if self._stage is not Stage.NONE or self.closed:
            return
        body = response.body
        mute = self.request.method == "HEAD" or not body
        self._begin(response, len(body), end=mute)
        if not mute:
            self.stream.write(body)
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
        self._stage = Stage.BEGUN
        head_only = self.request.method == "HEAD"
        ahead, found, begun = len(before), 0, False

        def head_of(size: int) -> bytes:
            nonlocal found
            found = ahead + size
            # Frames are made by the connection: the head goes out with the first piece.
            return b""

        def write(piece: bytes) -> None:
            nonlocal begun
            if not begun:
                begun = True
                self._begin(head, found)
            if not head_only:
                self.stream.write(piece)

        absent = partial(self._file_absent, missing)
        send = TransportFileSend(
            self._connection.files, file, offset, size, head_of, self._file_done, absent, b"" if head_only else before, released
        )  # fmt: skip
        send.take(write, lambda: self.stream.full, head_only=head_only)
        self._file = send
        send.start()

    def _file_done(self, error: BaseException | None) -> None:
        self._file = None
        if error is None:
            self.complete()
        else:
            self._file_failed(error)

    def respond_stream(
        self,
        head: Response,
        *,
        buffer: int = limits.HTTP_STREAM_BYTES,
        idle: float | None = limits.HTTP_IDLE_SECONDS,
    ) -> H2BodyWriter | None:
        if self._stage is not Stage.NONE or self.closed:
            return None
        self._begin(head, None)
        self.stream.deadline.clear()
        self.stream.patience = idle
        # Who needs no time limit here has its own: a live player.
        self.stream.live = idle is None
        self.stream.limit(buffer - 1)
        self._writer = H2BodyWriter(self)
        return self._writer

    def take_socket(self, head: Response) -> None:
        return None

    @property
    def leave(self) -> Callable[[], None]:
        # The connection keeps its place.
        return lambda: None

    def upgrade(self, protocol: UpgradedProtocol, fields: dict[str, str]) -> bool:
        if self._stage is not Stage.NONE or self.closed or not self.request.upgrade:
            return False
        self._stage = Stage.DONE
        self._gone = True
        self.on_lost = None
        head = [(":status", "200"), *((name.lower(), value) for name, value in fields.items())]
        self._connection.send_head(self.stream, head)
        held, self._held = self._held, deque()
        self._tunnel = H2Transport(self._connection, self.stream, protocol, held)
        self._tunnel.begin()
        if self.whole:
            self._tunnel.deliver_end()
        return True

    def _begin(self, head: Response, size: int | None, *, end: bool = False) -> None:
        """Send the head of the answer with what all answers have. *end*: nothing follows."""
        self._stage = Stage.BEGUN
        self.stream.ended = end
        self._connection.send_head(self.stream, h2_head(self._with_cors(head), size), end=end)

    def complete(self) -> None:
        """The whole answer is handed to the stream."""
        self._stage = Stage.DONE
        self.on_lost = None
        self._sink = None
        self._writer = None
        self._free_held()
        self.stream.end()

    # --- of the stream ---

    def full(self) -> None:
        writer = self._writer
        if writer is not None and writer.on_full is not None:
            writer.on_full()

    def drained(self) -> None:
        writer = self._writer
        if isinstance(self._file, TransportFileSend):
            self._file.resume()
        elif writer is not None and writer.on_drain is not None:
            writer.on_drain()

    def stalled(self) -> None:
        self.stream.reset(ErrorCode.CANCEL)
        self.lost()

    # --- of the connection: the answer ---

    def over(self) -> None:
        """The stream is gone, whoever ended it."""
        self.stream.over()
        if self._tunnel is not None:
            self._tunnel.over()

    def _cut(self) -> None:
        self.stream.reset(ErrorCode.INTERNAL_ERROR)

    def _free_held(self) -> None:
        """Forget what was not delivered: its bytes count against the window of the connection."""
        for piece in self._held:
            self._connection.taken(piece)
        self._held.clear()

    def _drop_answer(self) -> None:
        self._free_held()
        super()._drop_answer()
