from typing import Self, final

@final
class TimelineProbe:
    """A timeline that Python can drive, one timestamp at a time. Mode: 0 full, 1 zero, 2 off."""

    @property
    def repairs(self) -> int: ...
    @property
    def clamped(self) -> int: ...
    def __new__(cls, mode: int = 0) -> Self: ...
    def restart(self, gap_ms: int) -> None: ...
    def stamp(self, track: int, raw: int, now_ms: int) -> int:
        """Return the repaired time of a tag in ms. *track*: 0 audio, 1 video."""

    def place(self, raw: int, now_ms: int) -> int:
        """Return the time of script data in ms; the timeline stays as it is."""
