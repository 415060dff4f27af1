"""One publish or play of a client session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflv.protocols.rtmp.states import CLIENT_STREAM, ClientStreamState

if TYPE_CHECKING:
    from fastflv._ext.ingest.sink import MediaSink


class ClientStream:
    """A publish or play, from the wish to its end."""

    __slots__ = ("buffer_ms", "id", "name", "sink", "state")

    id: int
    "Message stream; 0 until the server gave one."

    sink: MediaSink | None
    "Takes the media of a play; None for a publish."

    state: ClientStreamState
    "Moved by `states.CLIENT_STREAM` alone."

    def __init__(self, name: str, sink: MediaSink | None, buffer_ms: int) -> None:
        self.id = 0
        self.name = name
        self.sink = sink
        self.buffer_ms = buffer_ms
        self.state = ClientStreamState.WANTED

    def move(self, cause: str) -> bool:
        """Take a transition; False when the table has none."""
        state = CLIENT_STREAM.get((self.state, cause))
        if state is None:
            return False
        self.state = state
        return True
