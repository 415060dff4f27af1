"""How much an RTMP peer says besides media: each command and each script data costs a trip through Python."""

from __future__ import annotations

from fastflv import limits
from fastflv.errors import MessageBudgetError


class MessageBudget:
    """What one peer may still say within the present NONMEDIA_SECONDS."""

    __slots__ = ("_bytes", "_ends", "_messages")

    def __init__(self) -> None:
        self._ends = float("-inf")
        self._messages = 0
        self._bytes = 0

    def hear(self, size: int, now: float) -> None:
        """Count a message of *size* bytes at *now*, seconds; MessageBudgetError when it is one too many."""
        if now >= self._ends:
            self._ends = now + limits.NONMEDIA_SECONDS
            self._messages = limits.NONMEDIA_MESSAGES_MAX
            self._bytes = limits.NONMEDIA_BYTES_MAX
        self._messages -= 1
        self._bytes -= size
        if self._messages < 0:
            raise MessageBudgetError(
                f"over {limits.NONMEDIA_MESSAGES_MAX} messages besides media within {limits.NONMEDIA_SECONDS:g} s"
            )
        if self._bytes < 0:
            raise MessageBudgetError(
                f"over {limits.NONMEDIA_BYTES_MAX} bytes besides media within {limits.NONMEDIA_SECONDS:g} s"
            )
