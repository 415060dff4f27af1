"""What a new player is sent before it follows the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fastflv import limits
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.block import MediaBlock
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.mux.compactstart import compact_start
from fastflv._ext.mux.remux import Remux
from fastflv._ext.mux.replay import Replay
from fastflv._ext.ts.mux import TsMux
from fastflv._ext.ts.start import audio_not_written_ms, tags_as_ts
from fastflv.config.model.play import StartMode
from fastflv.containers.flv.header import flv_header
from fastflv.containers.variant import Variant
from fastflv.errors import UsageError
from fastflv.stream.tracks import Tracks


def start_mode_of(args: Mapping[str, str]) -> StartMode | None:
    """What the query *args* ask with `start`; None without it. Raises UsageError for a word it does not know.

    A number is what players of files ask for when they seek: it means nothing here.
    """
    word = args.get("start", "")
    if not word.strip("0123456789."):
        return None
    try:
        return StartMode(word)
    except ValueError:
        raise UsageError(f"start={word}: ask for start=compact, start=gop, start=key or start=live") from None


class StartBurst(NamedTuple):
    """How much of the past a player is sent at once, at most; 0: as much as the GOP cache holds."""

    media_ms: int = 0
    "From the keyframe to the head, ms."

    size: int = 0
    "Likewise in bytes."


class Start(NamedTuple):
    """A start block and the log position that follows it."""

    block: MediaBlock
    "Container header and, where the position is known, metadata and sequence headers."

    position: int
    "Log position of the first byte after the block."

    until_key: bool = False
    "The pictures before the next keyframe are left out, for KEY_WAIT_MS at most: they refer to what is not in the block."

    pictured: bool = False
    "A keyframe is in the block, or follows it."


class Key(NamedTuple):
    """Players whose keys are equal are sent the same block."""

    tracks: Tracks
    position: int
    epoch_ms: int


class StartBlocks:
    """Makes start blocks of one log; all players that join in the same GOP share one."""

    def __init__(
        self,
        writer: StreamWriter | Replay,
        variant: Variant,
        log: MediaLog,
        remux: Remux | None,
        source: StartBlocks | None,
    ) -> None:
        """*remux* writes *log*, of the tags of *source*; both None for the canonical log."""
        self._writer = writer
        self._source = source
        self._variant = variant
        self._log = log
        self._remux = remux
        self._made: dict[Key, Start] = {}
        self._compact_made: dict[Key, Start] = {}
        self._given: list[MediaBlock] = []
        "Compact starts that players may still be sent."
        self._asked: object = None
        "How the last compact start was asked for, and at which head: a crowd that joins between two frames asks the same."
        self._answer: Start | None = None
        self._reused_until_ms = 0
        "The last compact start serves those who join until then; clock of the writer, ms."

    @property
    def has_audio(self) -> bool:
        return self._writer.has_audio and self._variant.audio

    @property
    def has_video(self) -> bool:
        """Players start at a keyframe."""
        return (
            self._writer.has_video and self._variant.video and self._variant.container not in ("aac", "mp3")
        )

    def begin(self, how: StartMode, burst: StartBurst, claims: Tracks | None = None) -> Start:
        """Start as *how* says; where the GOP is more than *burst*, at the next keyframe (`compact`: and a still until then).

        *claims*: what an FLV header says, where that is not what there is.
        """
        log = self._log
        asked = (how, burst, claims, log.head, log.key_pos, self._tags.epoch_ms)
        if asked != self._asked or self._answer is None:
            start = self._begin(how, burst, claims)
            if not self._given or start.block is not self._given[-1]:
                return start
            self._asked, self._answer = asked, start
        return self._answer

    def forget(self) -> bool:
        """Drop the compact starts that nobody is sent any more; return whether others stay."""
        self._compact_made = {}
        self._asked = self._answer = None
        self._given = [block for block in self._given if block.in_use]
        return bool(self._given)

    def _begin(self, how: StartMode, burst: StartBurst, claims: Tracks | None) -> Start:
        if how is StartMode.LIVE:
            return Start(MediaBlock(self._prefix(claims) + self._headers()), self._log.head)
        too_much = self.has_video and self._exceeds(burst)
        if how is StartMode.COMPACT and (too_much or self._gop_bytes <= self._compact_bytes_max):
            return self._compact(claims, still=too_much)
        return self.at_next_key(claims) if how is StartMode.KEY or too_much else self.at_gop(claims)

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

    def resume(self, claims: Tracks | None = None) -> Start:
        """Start RESUME_PAST_MS before the head, or with the newest keyframe where that is older.

        Times before the epoch are none that can be compared: there it is the GOP.
        """
        log = self._log
        since = max(log.head_dts - limits.RESUME_PAST_MS, 0)
        if log.epoch_ms > since:
            return self.at_gop(claims)
        position, has_key = log.position_at(since), log.key_pos >= 0
        headers = log.key_headers if has_key else self._headers()
        block = MediaBlock(self._prefix(claims) + headers)
        return Start(block, min(position, log.key_pos) if has_key else position, pictured=has_key)

    def at_next_key(self, claims: Tracks | None = None) -> Start:
        """Start at the head, with sound at once and pictures from the next keyframe on."""
        if not self.has_video:
            return self.at_gop(claims)
        return self._shared(self._log.head, claims, until_key=True)

    def header_tags(self) -> bytes:
        """Metadata and sequence headers as FLV tags, as far as they are of this choice, stamped with the present."""
        if self._source is None:
            return self._writer.header_tags(self._writer.log.head_dts)
        tags = self._source.header_tags()
        assert self._remux is not None
        return self._remux.headers(tags) if self._variant.container == "flv" else tags

    def _exceeds(self, burst: StartBurst) -> bool:
        tags = self._tags
        if tags.key_pos < 0:
            return False
        return 0 < burst.size < self._gop_bytes or 0 < burst.media_ms < tags.head_dts - tags.key_dts

    @property
    def _compact_bytes_max(self) -> int:
        return limits.COMPACT_TS_BYTES_MAX if self._variant.container == "ts" else limits.COMPACT_BYTES_MAX

    @property
    def _gop_bytes(self) -> int:
        """Bytes of tags from the newest keyframe on."""
        tags = self._tags
        return tags.head - tags.key_pos if tags.key_pos >= 0 else 0

    @property
    def _tags(self) -> MediaLog:
        """The log of FLV tags behind this one, or itself."""
        return self._log if self._variant.container == "flv" or self._remux is None else self._remux.source

    def _compact(self, claims: Tracks | None, still: bool) -> Start:
        """Start with the newest GOP compressed to the head, or its keyframe; players that join at one head share it."""
        if not self.has_video or self._log.key_pos < 0:
            return self.at_gop(claims)
        key = self._key(claims, self._log.head)
        start = self._compact_made.get(key) or self._recent(key.tracks) or self._at_hand(key.tracks, still)
        if start is None:
            ts = self._remux if isinstance(self._remux, TsMux) else None
            until = {} if ts is None else {"audio_before": audio_not_written_ms(ts)}
            block = compact_start(
                self._tags, span_ms=limits.START_SPAN_MS, still=still, prefix=self._prefix(claims), **until
            )
            if block is None:
                return self.at_next_key(claims) if still else self.at_gop(claims)
            if ts is not None:
                block = tags_as_ts(ts, block)
            elif self._remux is not None and self._variant.container != "flv":
                block = MediaBlock(self._remux.headers(bytes(block)))
            start = Start(block, self._log.head, still, True)
            self._compact_made = {key: start}
            self._given.append(start.block)
            spent_ms = len(start.block) * 1000 // limits.COMPACT_BYTES_PER_SECOND
            self._reused_until_ms = self._writer.now_ms + spent_ms
        return start

    def _newest(self, tracks: Tracks) -> Start | None:
        """The last compact start for a player of *tracks*, unless it is of another GOP."""
        newest = next((one for key, one in self._compact_made.items() if key.tracks == tracks), None)
        return newest if newest is not None and newest.position > self._log.key_pos else None

    def _recent(self, tracks: Tracks) -> Start | None:
        """The last one while a new one would cost too much of everybody's time; the frames since then follow it at once."""
        return self._newest(tracks) if self._writer.now_ms < self._reused_until_ms else None

    def _at_hand(self, tracks: Tracks, still: bool) -> Start | None:
        """A start for a player of *tracks* that costs no memory, where players hold too many; None otherwise.

        Each newest frame makes another start, and who does not read holds his until he is closed.
        """
        self._given = [block for block in self._given if block.in_use]
        if sum(map(len, self._given)) < limits.START_BYTES_HELD:
            return None
        newest = self._newest(tracks)
        if newest is not None:
            return newest
        return self.at_next_key(tracks) if still else self.at_gop(tracks)

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

    def _key(self, claims: Tracks | None, position: int) -> Key:
        return Key(claims or Tracks(self.has_audio, self.has_video), position, self._tags.epoch_ms)

    def _shared(self, position: int, claims: Tracks | None, *, until_key: bool = False) -> Start:
        key = self._key(claims, position)
        start = self._made.get(key)
        if start is None:
            if until_key:
                headers = self._headers()
            else:
                # Those of TS tell of a jump; whoever starts has nothing that could go on.
                headers = self._log.key_headers if self._variant.container != "ts" else b""
            start = Start(MediaBlock(self._prefix(claims) + headers), position, until_key, not until_key)
            # Only the newest GOP, or the present head, is asked for again.
            self._made = {key: start}
        return start
