"""When to acknowledge what a peer sent.

Spec: RTMP 1.0, 5.4.3 and 5.4.4. Acknowledged is each half window, as SRS does: a peer that stops at
the end of its window never has to.
"""

from __future__ import annotations

from sys import maxsize


class AckWindow:
    """The next byte count that is acknowledged. Counts are bytes behind the handshake, never wrapped."""

    __slots__ = ("_acked", "_ours", "_step", "due")

    due: int
    "Acknowledge once this many bytes were received; no count reaches it until a window is known."

    def __init__(self) -> None:
        self.due = maxsize
        self._acked = 0
        self._step = 0
        self._ours = False

    def set_ours(self, window: int) -> None:
        """Acknowledge by *window* bytes of our own, whatever the peer announces; 0 leaves it to the peer."""
        if window:
            self._set(window)
            self._ours = True

    def set_theirs(self, window: int) -> None:
        """Take the window that the peer announced, bytes; 0 for no more acknowledgements."""
        if not self._ours:
            self._set(window)

    def state(self) -> tuple[int, int, int, bool]:
        """What `resume` takes: when the next is due, what is acknowledged, each how many bytes, and whether by a window of our own."""
        return self.due, self._acked, self._step, self._ours

    def resume(self, due: int, acked: int, step: int, ours: bool) -> None:
        """Go on as `state` says. Raises TypeError and ValueError."""
        self.due, self._acked, self._step, self._ours = int(due), int(acked), max(0, int(step)), bool(ours)

    def acknowledge(self, received: int) -> None:
        """Note that *received* bytes are acknowledged now."""
        self._acked = received
        self.due = received + self._step

    def _set(self, window: int) -> None:
        self._step = max(1, window // 2)
        self.due = self._acked + self._step if window else maxsize
