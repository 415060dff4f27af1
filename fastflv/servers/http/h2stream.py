"""One stream of an HTTP/2 connection on its way out: what waits, who is told when too much does, and how long a client may take nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fastflv import limits
from fastflv.net.deadline import Deadline
from fastflv.protocols.http.h2budget import ErrorCode
from fastflv.protocols.http.h2schedule import Outgoing

if TYPE_CHECKING:
    from fastflv.servers.http.h2connection import H2Connection


class StreamOwner(Protocol):
    """Who writes to a stream."""

    def full(self) -> None:
        """More waits than should."""

    def drained(self) -> None:
        """Nothing waits any more, after `full`."""

    def stalled(self) -> None:
        """The client took nothing for too long, or sent nothing that was waited for."""


class H2Stream(Outgoing):
    """A stream, its owner, and the patience with its client."""

    __slots__ = ("_connection", "_high", "_owner", "deadline", "full", "patience")

    def __init__(self, connection: H2Connection, stream: int, owner: StreamOwner) -> None:
        super().__init__(stream)
        self._connection = connection
        self._owner: StreamOwner | None = owner
        "None once the stream is over."
        self._high = limits.HTTP_STREAM_BYTES
        self.full = False
        "The owner was told to wait."
        self.patience: float | None = limits.HTTP_IDLE_SECONDS
        "Seconds in which a client takes nothing before it is given up; None: no bound here."
        self.deadline = Deadline(connection.turns, owner.stalled)

    def own(self, owner: StreamOwner) -> None:
        """Tell *owner* from now on."""
        self._owner = owner
        self.deadline.cancel()
        self.deadline = Deadline(self._connection.turns, owner.stalled)

    def limit(self, high: int) -> None:
        """Be full when more than *high* bytes wait behind a flush."""
        self._high = high

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send *data* with the next flush, or as its windows allow."""
        if self._owner is None or self.ended or not len(data):
            return
        self.push(data)
        self._connection.wake(self)
        if self.size > limits.HTTP2_STREAM_BYTES:
            # Not only behind the flush: its writer would go on within this turn.
            self._fill_up()

    def end(self) -> None:
        """End the stream behind what waits."""
        if self._owner is not None and not self.ended:
            self.ended = True
            # Whoever had a time limit of its own watches no more.
            self.patience = self.patience or limits.HTTP_IDLE_SECONDS
            self.deadline.set(self.patience)
            self._connection.wake(self)

    def reset(self, code: ErrorCode) -> None:
        """Break the stream off."""
        self._connection.reset(self, code)

    # --- of the connection ---

    def flushed(self, sent: bool) -> None:
        """A flush is over. *sent*: it took something from here."""
        if not self.size:
            if self._owner is not None and self.patience is not None and (sent or self.full):
                self.deadline.clear()
            if self.full:
                self.full = False
                if self._owner is not None:
                    self._owner.drained()
            return
        if self.patience is not None and (sent or not self.full):
            self.deadline.set(self.patience)
        if self.size > self._high:
            self._fill_up()

    def over(self) -> None:
        """The stream or its connection is gone."""
        self._owner = None
        self.deadline.cancel()
        self.clear()

    def _fill_up(self) -> None:
        if not self.full:
            self.full = True
            if self._owner is not None:
                self._owner.full()
