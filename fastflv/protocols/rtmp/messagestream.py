"""One message stream of a server session: its state and what the peer called it."""

from __future__ import annotations

from fastflv.errors import CommandOrderError, UsageError
from fastflv.protocols.rtmp.events import PublisherKind
from fastflv.protocols.rtmp.states import STREAM, StreamState


class MessageStream:
    """A message stream that publishes, plays, or waits for the answer to either."""

    __slots__ = ("held", "id", "kind", "name", "state")

    held: tuple[int, int, bytes] | None
    "Type, timestamp and payload of the message that came before the publish was answered."

    kind: PublisherKind
    "Family of the encoder; `flash` for a play."

    name: str
    "Argument of publish or play, as sent."

    state: StreamState
    "Moved by `states.STREAM` alone."

    def __init__(self, id: int) -> None:
        self.id = id
        self.state = StreamState.IDLE
        self.name = ""
        self.kind = "flash"
        self.held = None

    def move(self, cause: str) -> None:
        """Take the transition for a command of the peer. Raises CommandOrderError where there is none."""
        try:
            self.state = STREAM[self.state, cause]
        except KeyError:
            raise CommandOrderError(
                f"{cause!r} while {self.state.value} on message stream {self.id}"
            ) from None

    def answer(self, cause: str) -> None:
        """Take the transition for an answer of the owner. Raises UsageError where there is none."""
        if (self.state, cause) not in STREAM:
            raise UsageError(f"{cause!r} while {self.state.value} on message stream {self.id}")
        self.move(cause)


def bare(name: str) -> str:
    """*name* without its query: FCUnpublish names a stream with it or without."""
    return name.partition("?")[0]
