"""One RTMP peer of a server: bytes in, events and bytes out. It touches no socket and no clock.

Media does not pass through here: the chunk reader hands it to the sink given to `accept_publish`.

Spec: RTMP 1.0, 5 (handshake, chunks, control); commands are in `dialogue`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastflv import limits
from fastflv.errors import CommandOrderError, UsageError
from fastflv.protocols.rtmp import commands
from fastflv.protocols.rtmp.dialogue import Dialogue
from fastflv.protocols.rtmp.events import Event
from fastflv.protocols.rtmp.handshake import ServerHandshake
from fastflv.protocols.rtmp.messagebudget import MessageBudget
from fastflv.protocols.rtmp.states import State

if TYPE_CHECKING:
    from typing_extensions import Buffer

# A member looked up through its class costs about 80 ns on CPython 3.11, once per read.
PUBLISHING: Final = State.PUBLISHING


class Session(Dialogue):
    """One RTMP peer, seen from the server.

    It moves by three things: bytes of the peer (`receive`), answers of the owner (`accept_...`,
    `reject_...`, then `resume`), and `close`. After each of them write what `take_output` gives.

    `receive` and `resume` raise PeerError subclasses and nothing else; the session is of no use then.
    *noise* seeds the handshake: 16 unpredictable bytes or more. *chunk_size* is announced unless
    `accept_connect` says another, bytes.
    """

    __slots__ = ("_budget", "_handshake", "_held", "now")

    now: float
    "Monotonic clock of the read being taken in, seconds: set it before `receive`. It bounds what a peer says besides media."

    def __init__(self, *, noise: bytes, chunk_size: int = limits.CHUNK_BYTES_OUT) -> None:
        super().__init__(chunk_size)
        self._handshake = ServerHandshake(noise)
        self._held = bytearray()
        self._budget = MessageBudget()
        self.now = 0.0

    @property
    def proxy_ip(self) -> str:
        """IPv4 address that a proxy wrote in front, or empty. Anyone can write it: for logs only."""
        return self._handshake.proxy_ip

    def receive(self, data: Buffer) -> list[Event]:
        """Take bytes of the peer; return the events that they complete, oldest first.

        *data* may be a view into a buffer that is used again. Raises PeerError subclasses only.
        """
        if self.state is PUBLISHING and not self._pending:
            reader = self.reader
            used = reader.feed(data)
            if reader.message is None:
                if reader.received >= self._acks.due:
                    self._acknowledge()
                return []
            return self._run(data, used, [])
        if self.state is State.CLOSED:
            return []
        if self._pending or self.waiting:
            self._hold(data)
            return [] if self.waiting else self.resume()
        used = 0
        if self.state is State.GREETING:
            used = self._handshake.receive(data)
            if output := self._handshake.take_output():
                self.replies.raw(output)
            if not self._handshake.done:
                return []
            self._move("C2")
        return self._feed(data, used)

    def resume(self) -> list[Event]:
        """Go on with input that was held for an answer; returns as `receive`."""
        if self.waiting:
            raise UsageError("resume before the answer")
        if not self._pending or self.state is State.CLOSED:
            return []
        held, self._held = self._held, bytearray()
        self._pending = False
        return self._feed(held, 0)

    def take_output(self) -> bytes:
        """Hand over the bytes to write now, and forget them; empty when there are none."""
        return self.replies.take()

    def _feed(self, data: Buffer, at: int) -> list[Event]:
        return self._run(data, self.reader.feed(data, at), [])

    def _run(self, data: Buffer, at: int, events: list[Event]) -> list[Event]:
        """Handle the reader's message, feed on from *at*, and so on to the end of *data*."""
        reader = self.reader
        while (message := reader.message) is not None:
            self._budget.hear(len(message[4]), self.now)
            self._message(*message, events)
            if self.waiting:
                self._pending = True
                self._hold(memoryview(data)[at:])
                break
            # Once more even at the end: the reader may hold a few bytes that it looked ahead at.
            at = reader.feed(data, at)
        if reader.received >= self._acks.due:
            self._acknowledge()
        return events

    def _hold(self, data: Buffer) -> None:
        self._held += data
        if len(self._held) > limits.HELD_BYTES_MAX:
            raise CommandOrderError(f"over {limits.HELD_BYTES_MAX} bytes before the answer")

    def _acknowledge(self) -> None:
        received = self.reader.received
        self._acks.acknowledge(received)
        self.replies.control(commands.ACKNOWLEDGEMENT, commands.u32(received))

    def close(self) -> None:
        """Take no more input and let go of the sink. Output not taken yet can still be taken."""
        self._move("close")
        self.reader.sink = None
        self._held.clear()
