"""The state machine of an RTMP server session: one of the connection, one of each message stream.

The two tables hold every transition; the diagram in the documentation is drawn from them.

Spec: RTMP 1.0, 7.2.1 (commands of a NetConnection) and 7.2.2 (of a NetStream).
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class ConnectionState(Enum):
    """State of the connection. CONNECTING waits for an answer of the owner."""

    GREETING = "greeting"
    FRESH = "fresh"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSED = "closed"


class StreamState(Enum):
    """State of a message stream. The STARTING_ states wait for an answer of the owner."""

    IDLE = "idle"
    STARTING_PUBLISH = "starting publish"
    PUBLISHING = "publishing"
    STARTING_PLAY = "starting play"
    PLAYING = "playing"


CONNECTION: Final[dict[tuple[ConnectionState, str], ConnectionState]] = {
    (ConnectionState.GREETING, "C2"): ConnectionState.FRESH,
    (ConnectionState.FRESH, "connect"): ConnectionState.CONNECTING,
    (ConnectionState.CONNECTING, "accept connect"): ConnectionState.CONNECTED,
    (ConnectionState.CONNECTING, "reject connect"): ConnectionState.CLOSED,
    (ConnectionState.CONNECTED, "call"): ConnectionState.CONNECTED,
    **{(state, "close"): ConnectionState.CLOSED for state in ConnectionState},
}
"Transitions of the connection. `call` stands for every command but connect."

STREAM: Final[dict[tuple[StreamState, str], StreamState]] = {
    (StreamState.IDLE, "publish"): StreamState.STARTING_PUBLISH,
    (StreamState.STARTING_PUBLISH, "accept publish"): StreamState.PUBLISHING,
    (StreamState.STARTING_PUBLISH, "reject publish"): StreamState.IDLE,
    (StreamState.STARTING_PUBLISH, "unpublish"): StreamState.IDLE,
    (StreamState.PUBLISHING, "unpublish"): StreamState.IDLE,
    (StreamState.IDLE, "play"): StreamState.STARTING_PLAY,
    (StreamState.STARTING_PLAY, "accept play"): StreamState.PLAYING,
    (StreamState.STARTING_PLAY, "reject play"): StreamState.IDLE,
    (StreamState.PLAYING, "play"): StreamState.STARTING_PLAY,
    (StreamState.PLAYING, "stop"): StreamState.IDLE,
    **{(state, "close"): StreamState.IDLE for state in StreamState},
}
"""Transitions of a message stream.

`unpublish` and `stop` are closeStream, deleteStream, FCUnpublish or publish(false), whichever names the stream.
A `play` on another message stream is `stop` for the stream that plays: a connection has one play.
"""

EXCLUDES: Final = {
    "publish": frozenset({StreamState.STARTING_PLAY, StreamState.PLAYING}),
    "play": frozenset({StreamState.STARTING_PUBLISH, StreamState.PUBLISHING}),
}
"A connection either publishes or plays: states of any message stream in which the command is a protocol error."
