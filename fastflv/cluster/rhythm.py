"""The rhythm of a stream: after which silence it has stalled. Time is passed in."""

from __future__ import annotations

from fastflv import limits


class Rhythm:
    """Looked at every PULL_LOOK_SECONDS."""

    __slots__ = ("_bytes", "_gap", "_heard", "_looked")

    def __init__(self, now: float, received: int) -> None:
        """*now*: monotonic clock, seconds. *received*: bytes of media so far."""
        self._heard = self._looked = now
        self._bytes = received
        self._gap = limits.STALL_GAP_FIRST_SECONDS

    @property
    def patience(self) -> float:
        """Silence that is a stall, seconds."""
        return min(max(limits.STALL_GAPS * self._gap, limits.STALL_SECONDS_MIN), limits.STALL_SECONDS_MAX)

    def look(self, now: float, received: int) -> bool:
        """Return whether the stream has stalled at *now*."""
        late = now - self._looked > limits.PULL_LOOK_SECONDS + limits.LATE_SECONDS
        self._looked = now
        if received != self._bytes or late:
            # A process that was stopped itself has heard nothing meanwhile.
            if not late:
                self._gap = max(self._gap * limits.STALL_GAP_FADES, now - self._heard)
            self._bytes = received
            self._heard = now
            return False
        return now - self._heard > self.patience
