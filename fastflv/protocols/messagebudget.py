"""How many messages besides media a publisher may send: each RTMP command and each script data runs Python code."""

from __future__ import annotations

from fastflv import limits
from fastflv.errors import MessageBudgetError


class MessageBudget:
    """Messages and bytes that one peer may still send within the present NONMEDIA_SECONDS."""

    __slots__ = ("_bytes", "_ends", "_messages")

    def __init__(self) -> None:
        self._ends = float("-inf")
        self._messages = 0
        self._bytes = 0

    def spend(self, size: int, now: float) -> None:
        """Count a message of *size* bytes at *now*, seconds. Raises MessageBudgetError when none is left."""
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
