"""How much of a socket is read at once: what its bytes cost to handle decides, not how many there are."""

from __future__ import annotations

from fastflv import limits


class ReadPace:
    """Bounds the work of one read. The owner reads at most `room` bytes, and tells what that has cost.

    A peer whose bytes are cheap soon has the whole buffer; one whose bytes cost much is read in small pieces, one
    in each turn of the event loop, so that the others have their reads between them.
    """

    __slots__ = ("_ended", "_spent", "room")

    def __init__(self) -> None:
        self.room = limits.READ_FIRST_BYTES
        self._ended = 0.0
        "When the last read was done, by the clock of the caller, seconds."
        self._spent = 0.0
        "Cost of the reads that followed each other, seconds."

    def spent(self, size: int, began: float, ended: float) -> bool:
        """A read of *size* bytes was handled from *began* to *ended*, seconds; return whether others come before the next one.

        Reads that follow each other at once count together: libuv reads a full socket up to 32 times in one turn.
        """
        seconds = ended - began
        if began - self._ended > limits.READ_GAP_SECONDS:
            self._spent = 0.0
        self._spent += seconds
        self._ended = ended
        if seconds > limits.READ_SECONDS:
            self.room = max(limits.READ_BYTES_MIN, int(size * limits.READ_SECONDS / seconds))
        elif size >= self.room and 2 * seconds < limits.READ_SECONDS:
            self.room = min(limits.RECEIVE_BYTES, 2 * self.room)
        if self._spent <= limits.READ_SECONDS:
            return False
        self._spent = 0.0
        return True
