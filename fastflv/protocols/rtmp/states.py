"""The machine of an RTMP session: what may come in which state, and where it leads.

Everything that moves a session stands in `NEXT`; the diagram in the documentation is drawn from it.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class State(Enum):
    """Where a session stands. The -ING states wait for an answer of the owner."""

    GREETING = "greeting"
    FRESH = "fresh"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    STARTING_PUBLISH = "starting publish"
    PUBLISHING = "publishing"
    STARTING_PLAY = "starting play"
    PLAYING = "playing"
    CLOSED = "closed"


NEXT: Final[dict[tuple[State, str], State]] = {
    (State.GREETING, "C2"): State.FRESH,
    (State.FRESH, "connect"): State.CONNECTING,
    (State.CONNECTING, "accept connect"): State.CONNECTED,
    (State.CONNECTING, "reject connect"): State.CLOSED,
    (State.CONNECTED, "call"): State.CONNECTED,
    (State.CONNECTED, "publish"): State.STARTING_PUBLISH,
    (State.CONNECTED, "play"): State.STARTING_PLAY,
    (State.STARTING_PUBLISH, "accept publish"): State.PUBLISHING,
    (State.STARTING_PUBLISH, "reject publish"): State.CONNECTED,
    (State.PUBLISHING, "call"): State.PUBLISHING,
    (State.PUBLISHING, "unpublish"): State.CONNECTED,
    (State.STARTING_PLAY, "accept play"): State.PLAYING,
    (State.STARTING_PLAY, "reject play"): State.CONNECTED,
    (State.PLAYING, "call"): State.PLAYING,
    (State.PLAYING, "play"): State.STARTING_PLAY,
    (State.PLAYING, "stop"): State.CONNECTED,
    **{(state, "close"): State.CLOSED for state in State},
}
"The whole machine. `call` stands for every command that changes no state."

WAITING: Final = frozenset({State.CONNECTING, State.STARTING_PUBLISH, State.STARTING_PLAY})
