"""The index of keyframes of an FLV file: times and file positions, with a bound."""

from __future__ import annotations

from array import array


class KeyIndex:
    """Keyframes in the order of the file. Beyond *most* of them it lists every second, fourth, ... one."""

    def __init__(self, most: int) -> None:
        self.times_ms = array("q")
        self.positions = array("q")
        "Offsets of the tags in the file, bytes."
        self._most = most
        self._step = 1
        self._count = 0

    def __len__(self) -> int:
        return len(self.times_ms)

    def add(self, time_ms: int, position: int) -> None:
        """Add the next keyframe."""
        if self._count % self._step == 0:
            if len(self) >= self._most:
                self.thin()
            # The step may have changed.
            if self._count % self._step == 0:
                self.times_ms.append(time_ms)
                self.positions.append(position)
        self._count += 1

    def thin(self) -> None:
        """Leave out every second one; the first stays."""
        del self.times_ms[1::2], self.positions[1::2]
        self._step *= 2
