"""Why a play or a publish ended, for log lines, counters and close codes."""

from __future__ import annotations

from enum import Enum
from typing import Final


class EndReason(Enum):
    """One reason for the end of a client; its value is the text of log lines and metrics."""

    PEER_CLOSED = "peer closed"
    "The peer closed or lost the connection."

    STREAM_ENDED = "stream ended"
    "No publisher returned within the grace period."

    SERVER_STOPS = "server stops"
    KICKED = "disconnected by the API"
    "An operator disconnected the client."

    STORE_FAILED = "HLS could not be written"
    "A segment could not be stored, and `hls_on_error` demands the end of the publish."

    FORBIDDEN = "forbidden"
    "A rule of a new configuration refuses the client."

    REVOKED = "token revoked"
    "An operator took the client's token back."

    EXPIRED = "token expired"
    "The time of the client's token is over, and `enforce_expiry` is on."

    STOPPED = "stopped"
    "The client ended it by a command; the connection stays."

    COMPLETE = "complete"
    "The time for which an RTMP player asked is over."

    STALLED = "stalled"
    "The socket took no byte for STALL_SECONDS."

    TOO_SLOW = "too slow"
    "The lag exceeded `lag_close`."

    UNREAD_ANSWERS = "unread answers"
    "The peer asks and does not read the answers."

    SILENT = "silent"
    "A publisher sent no media in time, or a viewer of HLS asked no more."

    IDLE = "idle"
    "Nobody played a publisher's stream for `kickoff_for_idle`."

    TAKEN_OVER = "taken over"
    "Another publisher came for the name, and `publish { takeover on; }` lets it replace this one."

    OVER_RATE = "above ingest_rate"
    "A publisher sent more than `limits { ingest_rate }` for too long."

    ORIGIN = "refused by the origin"
    "The origin that an edge passes a publish on to refuses it, or none can be reached."

    PROTOCOL = "protocol error"
    "The peer broke the protocol."

    LOST_IN_UPGRADE = "lost in an upgrade"
    "The new process of an upgrade could not go on with the connection."

    RESTARTED = "stream restarted"
    "The stream ended and began again while a viewer of HLS stayed."

    NO_ROOM = "no room for this choice"
    "A player asked for other tracks while too many choices of its stream are played."

    CLOCK_RESTARTED = "clock restarted"
    "The time that a player was told is nearly used up; a player that comes back is told times from near 0 on."

    OUT_OF_MEMORY = "out of memory"
    NO_DESCRIPTOR = "no descriptor left"

    # Members are keys of counters: the hash of `Enum` is a Python function.
    __hash__ = object.__hash__

    def __str__(self) -> str:
        return self.value


BY_TEXT: Final = {reason.value: reason for reason in EndReason}
"A look-up costs a tenth of `EndReason(text)`."

TOO_LATE = (EndReason.TOO_SLOW, EndReason.STALLED)
"Reasons of players that did not keep up."

SERVER_SIDE = (EndReason.STREAM_ENDED, EndReason.SERVER_STOPS, EndReason.CLOCK_RESTARTED)
"Ends that are complete: nothing that the player should have got is missing."

FAULTS = (
    *TOO_LATE,
    EndReason.UNREAD_ANSWERS,
    EndReason.SILENT,
    EndReason.PROTOCOL,
    EndReason.STORE_FAILED,
    EndReason.LOST_IN_UPGRADE,
    EndReason.OUT_OF_MEMORY,
    EndReason.NO_DESCRIPTOR,
)
"Ends that are errors, of the peer or of the server."

CONSENT_LOST = (EndReason.FORBIDDEN, EndReason.REVOKED, EndReason.EXPIRED)
"Ends of clients that were admitted and would not be now: the gate answers them when they come again."
