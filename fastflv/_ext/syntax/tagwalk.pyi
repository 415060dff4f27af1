from typing import Literal, Self, final

from typing_extensions import Buffer

@final
class TagWalk:
    """Walk over the tags of an FLV file by their headers."""

    position: int
    """Offset of the next tag, bytes: all before it is whole. May be set, to go on elsewhere."""
    time_ms: int
    """Time of the newest frame; -1 before the first. Set it with `position`."""
    scripts: bool
    """Script data is noted."""
    audio_step_ms: int
    """An audio frame is noted each so many ms; negative: none."""
    stop_ms: int
    """The walk stops before a frame of this time or later; negative: nowhere."""
    @property
    def size(self) -> int:
        """Of the file, bytes."""
    @property
    def first_ms(self) -> int:
        """Time of the first frame; -1 before it."""
    @property
    def has_audio(self) -> bool:
        """An audio frame was passed."""
    @property
    def has_video(self) -> bool: ...
    @property
    def state(self) -> Literal["mark", "more", "end", "torn", "broken", "stop"]:
        """`more`: bytes at `position` are wanted. `torn`: the file ends within a tag. `broken`: no tag stands there."""
    def __new__(cls, size: int, position: int = 0) -> Self: ...
    def feed(self, block: Buffer, begin: int) -> list[tuple[int, int, int, int, int, int]]:
        """Walk over *block*, which begins at offset *begin* of the file, 4 before `position`; return the tags worth a note.

        Each as `(offset, kind, flags, track, time_ms, size)`; flags: 1 key, 4 configuration, 8 command, 16 notes.
        """
