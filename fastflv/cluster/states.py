"""What pulls and forwards do, for those who show it."""

from __future__ import annotations

from enum import Enum


class PullState(Enum):
    """How far a pull is."""

    SEEKING = "seeking"
    "No origin brings the stream, and they are asked."

    FETCHING = "fetching"

    SWITCHING = "switching"
    "An origin brings the stream or has just lost it, and others are asked."

    LINGERING = "lingering"
    "The stream comes, and nobody watches it at present."


class ForwardState(Enum):
    """What a forward does at present."""

    WAITING = "waiting"
    "For its next attempt, or for a publisher that comes back."

    CONNECTING = "connecting"

    FORWARDING = "forwarding"

    LOOP = "loop"
    "The stream comes from its destination: it is not sent back until somebody else publishes it."

    ENDED = "ended"


def forward_counts() -> dict[str, int]:
    """Return the states in which forwards are counted, with 0 each."""
    return {state.value: 0 for state in ForwardState if state is not ForwardState.ENDED}
