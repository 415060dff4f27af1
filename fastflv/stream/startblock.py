"""What a new player is sent before it follows the log."""

from __future__ import annotations

from typing import NamedTuple

from fastflv._ext.intake import Intake
from fastflv._ext.medialog import MediaLog
from fastflv._ext.remux import Remux
from fastflv._ext.segment import MediaBlock
from fastflv.remux.flv import flv_header
from fastflv.remux.variant import Variant


class Start(NamedTuple):
    """A start block and the log position that follows it."""

    block: MediaBlock
    "Container header and, where the position is known, metadata and sequence headers."

    position: int
    "Log position of the first byte after the block; -1: that of the next keyframe, whose headers come with it."


class Tracks(NamedTuple):
    """Kinds of tracks that an FLV header announces."""

    audio: bool
    video: bool


class StartBlocks:
    """Makes start blocks of one log; all players that join in the same GOP share one."""

    def __init__(
        self, intake: Intake, variant: Variant, log: MediaLog, remux: Remux | None, source: StartBlocks | None
    ) -> None:
        """*remux* writes *log*, of the tags of *source*; both None for the canonical log."""
        self._intake = intake
        self._source = source
        self._variant = variant
        self._log = log
        self._remux = remux
        self._made: dict[tuple[Tracks, int], Start] = {}

    @property
    def has_audio(self) -> bool:
        return self._intake.has_audio and self._variant.audio

    @property
    def has_video(self) -> bool:
        """Players start at a keyframe."""
        return (
            self._intake.has_video and self._variant.video and self._variant.container not in ("aac", "mp3")
        )

    def at_gop(self, claims: Tracks | None = None) -> Start:
        """Start with the newest keyframe; on a log without video with the history kept, or at the head.

        *claims*: what an FLV header says, where that is not what there is.
        """
        if self.has_video:
            if self._log.key_pos < 0:
                return self.at_next_key(claims)
            return self._shared(self._log.key_pos, claims)
        position = self._log.head
        if self._variant.keep_ms:
            position = self._log.position_at(self._log.head_dts - self._variant.keep_ms)
        return Start(MediaBlock(self._prefix(claims) + self._headers()), position)

    def at_next_key(self, claims: Tracks | None = None) -> Start:
        """Start with the next keyframe; on a log without video at the head."""
        if not self.has_video:
            return self.at_gop(claims)
        return self._shared(-1, claims)

    def header_tags(self) -> bytes:
        """Metadata and sequence headers as FLV tags, as far as they are of this choice, stamped with the present."""
        if self._source is None:
            return self._intake.header_tags(self._intake.log.head_dts)
        tags = self._source.header_tags()
        assert self._remux is not None
        return self._remux.headers(tags) if self._variant.container == "flv" else tags

    def _headers(self) -> bytes:
        """The same in this container."""
        if self._remux is None or self._variant.container == "flv":
            return self.header_tags()
        return self._remux.headers(self.header_tags())

    def _prefix(self, claims: Tracks | None) -> bytes:
        if self._variant.container != "flv":
            return b""
        tracks = claims or Tracks(self.has_audio, self.has_video)
        return flv_header(audio=tracks.audio, video=tracks.video)

    def _shared(self, position: int, claims: Tracks | None) -> Start:
        key = (claims or Tracks(self.has_audio, self.has_video), position)
        start = self._made.get(key)
        if start is None:
            # Those of TS tell of a jump; whoever starts has nothing that could go on.
            headers = self._log.key_headers if position >= 0 and self._variant.container != "ts" else b""
            start = Start(MediaBlock(self._prefix(claims) + headers), position)
            # Only the newest GOP is asked for again.
            self._made = {key: start}
        return start
