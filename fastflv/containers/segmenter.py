"""Segment boundaries: log entries in, finished segments out.

With video, a segment ends before the first keyframe after `least_ms`; without video, before the first frame
after it. Where the first keyframe stays away for HLS_KEY_WAIT_MS, there are segments of the sound alone until it comes. Every segment ends before the frame that would make it longer than `most_ms`, before a jump of the
clock, and when it has HLS_SEGMENT_BYTES_MAX.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fastflv import limits
from fastflv.containers.packer import Packer
from fastflv.media.codecs import VIDEO
from fastflv.media.tagflags import KEY


@dataclass(frozen=True, slots=True)
class Segment:
    """A finished segment."""

    start_ms: int
    "Decode time of its first frame."

    duration_ms: int
    body: bytes
    init: bytes
    "Initialisation section, which a player reads first; empty for TS."

    is_key: bool
    "Whether the segment begins with a keyframe or has no video."

    discontinuity: bool
    "Whether the segment does not continue the one before, or has another configuration."

    begun_ms: int = 0
    "Wall clock at its first frame, ms since 1970."

    pictures: int = 0
    "Pictures in the segment."


class Segmenter:
    """Cuts one stream into segments, by the times of its entries alone.

    *least_ms*, *most_ms*: as above. *wait_key* off: any picture may begin a segment. *floor_ms* above 0: segments
    begin at the first keyframe after a whole multiple of it by the wall clock, which is *clock_ms* ahead of the
    stream's time. *continues*: the first segment follows those of another segmenter, behind a discontinuity.
    """

    def __init__(
        self,
        packer: Packer[Any],
        least_ms: int,
        most_ms: int,
        *,
        wait_key: bool = True,
        floor_ms: int = 0,
        clock_ms: int = 0,
        continues: bool = False,
    ) -> None:
        self.least_ms = least_ms
        self.most_ms = most_ms
        self.wait_key = wait_key
        self.floor_ms = floor_ms
        self.limit_ms = 0
        "No segment may be longer, 0: no limit. This and the four above may change at any time."
        self.lost = 0
        "Open segments that were dropped because they grew too large while the clock of the stream stood still."
        self._packer = packer
        self._clock_ms = self._ahead_ms = self._told_ms = clock_ms
        "Wall clock minus stream time: of the open segment, the least since it began, and the newest."
        self._break = continues
        "The next segment begins after a discontinuity."
        self._changing = False
        "The open segment is the last one before a change."
        self._goes_on = False
        "The previous segment ended at this frame, so that the next need not wait for a keyframe."
        self._wait_ms = -1
        "Time of the first frame that was left out, since no keyframe has come; -1: none was."
        self._unseen = False
        "The sound goes on alone up to the next keyframe."
        self._init = b""
        self._start_ms = -1
        "Start of the open segment; -1: no segment is open."
        self._is_key = False
        self._bytes = 0
        "Memory that the open segment takes."
        self._pictures = 0
        self._frame_ms = -1
        "Time of the newest picture, without video of the newest frame; -1 before the first."
        self.step_ms = limits.HLS_STEP_MS
        "Time between the newest two pictures, without video frames."
        self._last_ms = 0
        "Time of the newest frame of any kind."
        self._video_ms = -1
        self._heard_ms = -1
        "Time of the first audio frame after the newest picture, -1 before it."
        self._sound_ms = 0
        "Time of the newest audio frame."
        self._apart_ms: int | None = None
        "How much later than its picture that frame was."
        self._jumped = False
        "The newest frame is audio whose clock jumped, against itself or against the pictures."

    @property
    def is_open(self) -> bool:
        """Whether a segment has begun and not ended."""
        return self._start_ms >= 0

    @property
    def open_ms(self) -> int:
        """How long the open segment is; 0 without one."""
        return self._last_ms - self._start_ms if self.is_open else 0

    def change(self) -> None:
        """The configuration changes: the next segment begins at the next keyframe, after a discontinuity."""
        if self._start_ms >= 0:
            self._changing = True
        else:
            self._break = True

    def take(
        self, entries: Iterable[tuple[int, int, int, bytes]], *, video: bool, ahead_ms: int | None = None
    ) -> list[Segment]:
        """Take new entries `(kind, flags, dts_ms, bytes)`; return the segments that they finish.

        *video*: whether the stream has a video track now. *ahead_ms*: how far the wall clock is ahead of the newest
        entry. Late entries make it too large, so the least counts.
        """
        done: list[Segment] = []
        if ahead_ms is not None:
            self._told_ms = ahead_ms
            self._ahead_ms = min(self._ahead_ms, ahead_ms)
        for kind, flags, dts_ms, data in entries:
            frame = self._packer.read(kind, flags, dts_ms, data)
            if frame is None:
                continue
            now = self._clock(kind, dts_ms, video)
            key = not video or (kind == VIDEO and flags & KEY != 0)
            if kind == VIDEO and self._unseen and not key:
                continue
            if self._start_ms >= 0 and self._ends(kind, key, now, video):
                done += self._finish(now, self._is_gap(now))
            self._unseen = self._unseen and not key
            if self._start_ms < 0:
                if not (key or self._goes_on or self._waited(kind, now)):
                    continue
                self._begin(now, key)
            elif kind in self._packer.changed:
                continue
            self._packer.add(kind, flags, dts_ms, frame)
            self._bytes += len(data) + limits.HLS_FRAME_BYTES
            self._pictures += kind == VIDEO
            if (kind == VIDEO or not video) and now > self._frame_ms:
                if self._frame_ms >= 0:
                    self.step_ms = min(now - self._frame_ms, self.most_ms)
                self._frame_ms = now
            self._last_ms = max(now, self._last_ms)
        return done

    def flush(self) -> list[Segment]:
        """End the open segment at its last frame."""
        if self._start_ms < 0:
            return []
        if self._content_ends() - self._start_ms < limits.HLS_SEGMENT_MS_MIN:
            self._drop()
            return []
        return self._finish(self._content_ends(), False)

    def _begin(self, now: int, key: bool) -> None:
        if self._break or abs(self._ahead_ms - self._clock_ms) > limits.HLS_CLOCK_SLACK_MS:
            self._clock_ms = self._ahead_ms
        self._ahead_ms = self._told_ms
        self._start_ms = self._last_ms = now
        self._is_key = key
        self._wait_ms = -1

    def _waited(self, kind: int, now: int) -> bool:
        """Whether sound begins a segment, since no keyframe has come for long."""
        if self._wait_ms < 0 or now < self._wait_ms:
            self._wait_ms = now
        self._unseen = kind != VIDEO and now - self._wait_ms >= limits.HLS_KEY_WAIT_MS
        return self._unseen

    def _drop(self) -> None:
        """Forget the open segment."""
        self._packer.drop()
        self._start_ms = -1
        self._bytes = self._pictures = 0

    def _clock(self, kind: int, dts_ms: int, video: bool) -> int:
        """Return the time of a frame on the clock of the video, since tracks may lie far apart."""
        self._jumped = False
        if kind == VIDEO:
            self._video_ms = dts_ms
            self._heard_ms = -1
            return dts_ms
        if not video or self._video_ms < 0:
            return dts_ms
        self._jumped = dts_ms < self._sound_ms - limits.HLS_GAP_MS
        self._sound_ms = dts_ms
        if self._heard_ms < 0 or self._jumped:
            self._heard_ms = dts_ms
            apart, self._apart_ms = self._apart_ms, dts_ms - self._video_ms
            self._jumped |= apart is not None and abs(self._apart_ms - apart) > limits.HLS_GAP_MS
        return self._video_ms + max(dts_ms - self._heard_ms, 0)

    def _ends(self, kind: int, key: bool, now: int, video: bool) -> bool:
        """Whether the open segment ends before the frame that comes at *now*."""
        length = now - self._start_ms
        # The next frame may last as long as the newest one did.
        ahead = max(now - (self._frame_ms if kind == VIDEO or not video else self._last_ms), 0)
        too_long = length + ahead > self._longest()
        if self._is_back(now) or self._bytes > limits.HLS_SEGMENT_BYTES_MAX:
            return True
        if self._changing or self._packer.changed:
            return key or too_long
        if length < limits.HLS_SEGMENT_MS_MIN:
            return False
        if too_long or self._is_gap(now):
            return True
        # Audio alone can be cut at any frame, so those segments never exceed least_ms. A segment that had to begin
        # between two keyframes ends at the next keyframe, where players can start.
        enough = length + (0 if video else ahead) >= self.least_ms or self._passes_floor(now)
        enough = enough or (key and self.wait_key and not self._is_key)
        return enough and (key or self._unseen or (kind == VIDEO and not self.wait_key))

    def _passes_floor(self, now: int) -> bool:
        """Whether a multiple of the wall clock lies between the start of the segment and *now*."""
        if not self.floor_ms:
            return False
        begun = (self._start_ms + self._clock_ms) // self.floor_ms
        return (now + self._clock_ms) // self.floor_ms > begun

    def _is_gap(self, now: int) -> bool:
        """Whether the pause before *now* is too long for a continuation, or the clock jumped."""
        return self._is_back(now) or now - self._last_ms > max(limits.HLS_GAP_MS, 2 * self.step_ms)

    def _is_back(self, now: int) -> bool:
        """Whether the clock went back, or that of one track jumped."""
        return self._jumped or now < self._last_ms - limits.HLS_GAP_MS

    def _longest(self) -> int:
        return min(self.most_ms, self.limit_ms or self.most_ms)

    def _content_ends(self) -> int:
        """Return the end of the open segment's last frame when no other frame follows."""
        # The last picture is assumed to last as long as the one before, whose pause may have been minutes.
        most = max(self._start_ms + self._longest(), self._last_ms)
        return min(max(self._frame_ms + self.step_ms, self._last_ms), most)

    def _finish(self, now: int, gap: bool) -> list[Segment]:
        """End the open segment at *now*; before a gap at the end of its last frame."""
        # A frame that comes after the limit shows only then how long the one before it lasted.
        gap = gap or (self.limit_ms > 0 and now - self._start_ms > self.limit_ms)
        end = self._content_ends() if gap else now
        back, full = self._is_back(now), self._bytes > limits.HLS_SEGMENT_BYTES_MAX
        if end - self._start_ms < (limits.HLS_SEGMENT_MS_MIN if back or full else 1):
            self._drop()
            self.lost += full
            self._break = True
            self._goes_on = False
            self._restart(gap, back)
            return []
        recoded = bool(self._packer.changed)
        body, init = self._packer.finish(end)
        start, self._start_ms = self._start_ms, -1
        pictures, self._bytes, self._pictures = self._pictures, 0, 0
        # After a change of configuration players can decode only from a keyframe on.
        self._goes_on = not recoded
        broken, self._break = self._break, recoded or gap or self._changing
        self._changing = False
        begun = start + self._clock_ms
        self._restart(gap, back)
        if not body:
            self._break = self._break or broken
            return []
        broken = broken or (init != self._init and self._init != b"")
        self._init = init
        return [Segment(start, end - start, body, init, self._is_key, broken, begun, pictures)]

    def _restart(self, gap: bool, back: bool) -> None:
        """Measure clocks anew after a gap; times that went *back* do not continue those before."""
        if gap:
            self._ahead_ms = self._told_ms
            self._packer.restart()
        if gap and not self._jumped:
            self._apart_ms = None
        if back and not self._jumped:
            self._frame_ms = -1
            self._sound_ms = 0
