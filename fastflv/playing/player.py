"""Players: one player's media, from an outlet's log to its socket.

A player is told what to send and reports its end; it knows no protocol but its framing. Control messages of
its connection go out between two frames. `ThreadPlayer` and `LoopPlayer` are the two kinds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from fastflv._ext.log.block import MediaBlock
from fastflv.stream.endreason import EndReason
from fastflv.stream.lag import NO_STEPS, Beginning, Steps
from fastflv.stream.outlets import Outlet
from fastflv.stream.start import Start
from fastflv.stream.stream import StreamOptions

if TYPE_CHECKING:
    from fastflv.playing.players import Players


class Framing(IntEnum):
    """What stands around the bytes of a log."""

    RAW = 0
    CHUNKED = 1
    "HTTP chunks, RFC 9112, 7.1."
    WEBSOCKET = 2
    "Binary messages of a server, RFC 6455, 5.2."


Ended = Callable[[EndReason, bool], None]
"Called once with the reason, and whether the connection can still be written to (no frame is half sent)."


class Wire(Protocol):
    """What a `LoopPlayer` writes to: the body of an answer, or a transport (`TransportWire`).

    Its owner calls the player's `pause_writing` as soon as a byte is buffered, and `resume_writing` when none is.
    """

    @property
    def buffered(self) -> int:
        """Bytes written that the kernel has not taken."""

    @property
    def socket(self) -> Any:
        """The socket, to pace it and to ask for unacknowledged bytes; None where several players share one."""

    def write(self, data: bytes | bytearray | memoryview, /) -> None: ...


class Player(ABC):
    """One player; the owner of its connection holds it."""

    __slots__ = ("_bytes", "_ended", "_framing", "_options", "_players", "_steps", "_then", "_words")

    def __init__(self, players: Players, options: StreamOptions, framing: Framing, ended: Ended) -> None:
        self._players = players
        self._options = options
        self._framing = framing
        self._ended: Ended | None = ended
        "None once the end is reported."
        self._bytes = 0
        self._steps = NO_STEPS
        self._words = b""
        "Control messages that wait for the end of a frame."
        self._then: Callable[[], None] | None = None
        "Called once the player has stopped (`halt`)."

    @property
    @abstractmethod
    def sent(self) -> int:
        """Bytes sent, framing and control messages included."""

    @property
    def received(self) -> int:
        """Bytes received: a player's socket is read by its connection, if at all."""
        return 0

    @property
    @abstractmethod
    def steps(self) -> Steps: ...

    @property
    @abstractmethod
    def beginning(self) -> Beginning: ...

    @abstractmethod
    def start(self, outlet: Outlet, start: Start, preamble: MediaBlock | None = None) -> None:
        """Send *preamble* (no framing), the start block, then the log."""

    @abstractmethod
    def say(self, data: bytes) -> None:
        """Send a control message between two frames."""

    @abstractmethod
    def halt(self, then: Callable[[], None]) -> None:
        """Stop after the present tag, and call *then*; `start` may follow."""

    @abstractmethod
    def drop(self, reason: EndReason) -> None:
        """End it at once: the server decides so."""

    @abstractmethod
    def lost(self) -> None:
        """The connection is gone."""

    @abstractmethod
    def pause_writing(self) -> None:
        """The transport buffers bytes."""

    @abstractmethod
    def resume_writing(self) -> None:
        """The transport's buffer is empty again."""

    @abstractmethod
    def adopt(self, options: StreamOptions) -> None:
        """Take the settings of a new configuration; no byte is lost or sent twice."""

    def _report(self, reason: EndReason, whole: bool) -> None:
        """Report the end to the owner, once. The owner holds the player: what is kept here would be a cycle."""
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(self._players.reason(reason), whole)
