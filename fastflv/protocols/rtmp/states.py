"""The state machines of RTMP sessions: one of the connection, one of each message stream.

The tables hold every transition, first those of a server, then those of a client; the diagrams in the
documentation are drawn from them.

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


class ClientState(Enum):
    """State of a client's connection."""

    GREETING = "greeting"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    REFUSED = "refused"


class ClientStreamState(Enum):
    """State of a publish or play of a client."""

    WANTED = "wanted"
    CREATING = "creating"
    STARTING = "starting"
    STARTED = "started"
    ENDED = "ended"
    FAILED = "failed"


CLIENT: Final[dict[tuple[ClientState, str], ClientState]] = {
    (ClientState.GREETING, "S2"): ClientState.CONNECTING,
    (ClientState.CONNECTING, "_result"): ClientState.CONNECTED,
    (ClientState.CONNECTING, "_error"): ClientState.REFUSED,
}
"Transitions of a client's connection; any other answer to `connect` is ignored."

CLIENT_STREAM: Final[dict[tuple[ClientStreamState, str], ClientStreamState]] = {
    (ClientStreamState.WANTED, "connected"): ClientStreamState.CREATING,
    (ClientStreamState.CREATING, "_result"): ClientStreamState.STARTING,
    (ClientStreamState.CREATING, "_error"): ClientStreamState.FAILED,
    (ClientStreamState.STARTING, "start"): ClientStreamState.STARTED,
    (ClientStreamState.STARTING, "error"): ClientStreamState.FAILED,
    (ClientStreamState.STARTED, "error"): ClientStreamState.FAILED,
    (ClientStreamState.STARTED, "end"): ClientStreamState.ENDED,
    (ClientStreamState.STARTING, "end"): ClientStreamState.ENDED,
    (ClientStreamState.ENDED, "start"): ClientStreamState.STARTED,
    (ClientStreamState.ENDED, "error"): ClientStreamState.FAILED,
}
"Transitions of a client's publish or play; a status without one is an event and nothing else. FAILED is forgotten."
