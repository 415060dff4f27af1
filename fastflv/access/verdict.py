"""What a rule answers: allowed, refused with a kind and a reason, or redirected."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias


class Refusal(Enum):
    """Kind of a refusal. Servers map it to HTTP status, WebSocket close code and RTMP status."""

    UNAUTHORIZED = "unauthorized"
    "Credentials are missing or wrong; others may be accepted."

    FORBIDDEN = "forbidden"
    "This client may not, whatever credentials it has."

    TOO_MANY = "too many"
    "Its address has as much as it may have."

    FULL = "full"
    "The stream, the vhost or the server has as much as it may have."

    BUSY = "busy"
    "The name has a publisher already, in another process of this server."

    UNAVAILABLE = "unavailable"
    "Who decides about it does not answer."


@dataclass(frozen=True, slots=True)
class Allowed:
    """The request may go on."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The request ends here."""

    kind: Refusal

    reason: str
    "One sentence for the log and the client; it names the rule."

    retry_after: float = 0.0
    "Seconds after which a new request makes sense, for TOO_MANY, FULL and UNAVAILABLE."


@dataclass(frozen=True, slots=True)
class Redirected:
    """The stream is served elsewhere."""

    url: str
    "Absolute URL for the client."


Verdict: TypeAlias = Allowed | Refused | Redirected

ALLOW: Final = Allowed()


def forbid(reason: str) -> Refused:
    """Refuse whatever credentials the client has; *reason* is one sentence."""
    return Refused(Refusal.FORBIDDEN, reason)


def unauthorized(reason: str) -> Refused:
    """Refuse these credentials; others may be accepted. *reason* is one sentence."""
    return Refused(Refusal.UNAUTHORIZED, reason)
