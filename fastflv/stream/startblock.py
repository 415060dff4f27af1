"""What a new player is sent before it follows the log."""

from __future__ import annotations

from typing import NamedTuple

from fastflv._ext.intake import Intake
from fastflv._ext.segment import MediaBlock


class Start(NamedTuple):
    """A start block and the log position that follows it."""

    block: MediaBlock
    "FLV header and, where the position is known, metadata and sequence headers."

    position: int
    "Log position of the first byte after the block; -1: that of the next keyframe, whose headers come with it."


def flv_header(*, audio: bool, video: bool) -> bytes:
    """Return the 9 bytes of an FLV header and the back pointer 0 (FLV v10.1, E.2, E.3)."""
    return b"FLV\x01" + bytes([4 * audio + video]) + b"\x00\x00\x00\x09\x00\x00\x00\x00"


class StartBlocks:
    """Makes start blocks; all players that join in the same GOP share one."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._made: dict[tuple[bool, bool, int], Start] = {}

    def at_gop(self) -> Start:
        """Start with the newest keyframe; on a stream without video at the head."""
        log = self._intake.log
        if self._intake.has_video:
            if log.key_pos < 0:
                return self.at_next_key()
            return self._shared(log.key_pos)
        return Start(MediaBlock(self._header() + self._intake.header_tags(log.head_dts)), log.head)

    def at_next_key(self) -> Start:
        """Start with the next keyframe; on a stream without video at the head."""
        if not self._intake.has_video:
            return self.at_gop()
        return self._shared(-1)

    def _header(self) -> bytes:
        return flv_header(audio=self._intake.has_audio, video=self._intake.has_video)

    def _shared(self, position: int) -> Start:
        key = (self._intake.has_audio, self._intake.has_video, position)
        start = self._made.get(key)
        if start is None:
            headers = self._intake.log.key_headers if position >= 0 else b""
            start = Start(MediaBlock(self._header() + headers), position)
            # Only the newest GOP is asked for again.
            self._made = {key: start}
        return start
