"""One player's media: from an outlet's log to its socket, by a sender thread or by the event loop.

A play is told what to send and says when it ended; it knows no protocol but its framing. What its
owner says in between (answers, control frames) goes out between two frames. There are two: `ThreadPlayer` and `LoopPlayer`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Protocol

from fastflv._ext.log.block import MediaBlock
from fastflv.stream.endreason import EndReason
from fastflv.stream.lag import Steps
from fastflv.stream.outlets import Outlet
from fastflv.stream.start import Start


class Framing(IntEnum):
    """What stands around the bytes of a log."""

    RAW = 0
    CHUNKED = 1
    "HTTP chunks, RFC 9112, 7.1."
    WEBSOCKET = 2
    "Binary messages of a server, RFC 6455, 5.2."


Ended = Callable[[EndReason, bool], None]
"Called once with the reason, and whether the connection can still be written to (nothing is half sent)."


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


class Play(Protocol):
    """What the owner of a player's connection holds."""

    @property
    def sent(self) -> int: ...

    @property
    def received(self) -> int: ...

    @property
    def steps(self) -> Steps: ...

    def start(self, outlet: Outlet, start: Start, preamble: MediaBlock | None = None) -> None:
        """Send *preamble* (no framing), the start block, then the log."""

    def say(self, data: bytes) -> None:
        """Send *data* between two frames."""

    def halt(self, then: Callable[[], None]) -> None:
        """Send nothing more behind the present tag, and call *then*; `start` may follow."""

    def kick(self) -> None:
        """End it at once."""

    def lost(self) -> None:
        """The connection is gone."""

    def resume_writing(self) -> None:
        """The transport's buffer is empty again."""
