"""The segments of a past: where it is cut, for playlists that reach as far back as their viewers ask. Sans-IO.

A cut is a place where a player may start, or a frame where there is none for too long. So a segment is two positions of the log, and costs nothing
until it is asked for. Cuts never move: each segment has a number, and its bytes are the same for all who ask.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from fastflv import limits
from fastflv._ext.log.past import Step
from fastflv.containers.flv.reader import walk_tags
from fastflv.media.codecs import AUDIO, SCRIPT, VIDEO


@dataclass(frozen=True, slots=True)
class PastSegment:
    """A segment that has not been written."""

    number: int
    position: int
    "Log position of its first tag."
    stop: int
    "And behind its last one."
    place: int
    "Of the place whose headers it has: its first tag, or one before."
    end_ms: int
    "Stream time at which it ends."
    duration_ms: int
    offset_ms: int
    "Length of all segments before it since the list began."
    begun_ms: int
    "Wall clock at its first tag, ms since 1970."
    run: int
    "Number of the first segment with its configuration: they share an initialisation section."
    breaks: int
    "Discontinuities since the list began, with the one before this segment."
    discontinuity: bool
    "Whether it does not continue the segment before."


TagBefore = Callable[[int, int, int], tuple[int, int] | None]
"As `Timeshift.tag_before`."


class WindowList:
    """The segments of one stream, oldest first.

    Numbers begin at the clock of the first segment, and at *number* at least: they never recur in caches, nor go back
    for players that slept.
    """

    def __init__(self, number: int = 0) -> None:
        self.segments: list[PastSegment] = []
        self.seen = -1
        "Log position of the newest place that was looked at."
        self.longest_ms = 0
        "Of all segments so far."
        self.next = self._run = number
        "Number of the next segment."
        self._open: Step | None = None
        "Where the segment begins that is not finished."
        self._place = 0
        "Log position of the place before it."
        self._config: tuple[object, ...] = ()
        self._headers: tuple[tuple[int, bytes], ...] = ()
        "Sequence headers of the newest place."
        self._pause_ms = 0
        "Between the newest place and the tag before it."
        self._breaks = 0
        self._broken = False
        "The open segment begins behind a discontinuity."
        self._length_ms = 0

    def take(
        self,
        steps: Iterable[Step],
        least_ms: int,
        most_ms: int,
        tag_before: TagBefore,
    ) -> None:
        """Take the next places. A segment ends at the first one after *least_ms*, where a player has to begin anew,
        and at the last frame within *most_ms*."""
        for step in steps:
            if step.headers is not None:
                self._headers = sequence_headers(step.headers)
            # Sound that has a header may be told of before its first frame; other sound is known by its frames.
            audio = step.audio or any(kind == AUDIO for kind, _ in self._headers)
            config = (self._headers, audio, step.video)
            pause = max(step.dts_ms - step.before_ms, 0) if step.before_ms >= 0 else 0
            paused = pause > max(limits.HLS_GAP_MS, 2 * self._pause_ms)
            end_ms = step.before_ms + limits.HLS_STEP_MS if paused else step.dts_ms
            self.split(step.position, end_ms, most_ms, tag_before)
            opened = self._open
            if opened is None:
                self._begin(step, config, broken=self._length_ms > 0)
            else:
                length = step.dts_ms - opened.dts_ms
                gap = length <= 0 or paused
                broken = gap or config != self._config
                if (
                    broken
                    or length >= self._enough(least_ms)
                    or step.position - opened.position >= limits.HLS_SEGMENT_BYTES_MAX
                ):
                    self._end(step.position, step.before_ms + limits.HLS_STEP_MS if gap else step.dts_ms)
                    self._begin(step, config, broken=broken)
            self._pause_ms = pause
            self.seen = step.position

    def _enough(self, least_ms: int) -> int:
        """Return how long the open segment has to be before it ends at a keyframe."""
        assert self._open is not None
        if self._open.position != self._place:
            return limits.HLS_SEGMENT_MS_MIN
        first = len(self.segments) < limits.HLS_FIRST_SEGMENTS
        return min(least_ms, limits.HLS_FIRST_MS) if first else least_ms

    def split(self, stop: int, end_ms: int, most_ms: int, tag_before: TagBefore) -> None:
        """End the open segment at frames, until what is left of it before the log position *stop*, at *end_ms*, is no longer than *most_ms*."""
        while self._open is not None and end_ms - self._open.dts_ms > most_ms:
            opened = self._open
            found = tag_before(opened.position, opened.dts_ms + most_ms, VIDEO if opened.video else AUDIO)
            if found is None or found[0] >= stop:
                return
            position, dts_ms = found
            self._end(position, dts_ms)
            begun = opened.wall_ms + dts_ms - opened.dts_ms
            self._open = opened._replace(position=position, dts_ms=dts_ms, wall_ms=begun)
            self._broken = False

    def finish(self, stop: int, last_ms: int) -> None:
        """The stream ends at the log position *stop*; its last tag has the time *last_ms*."""
        if self._open is not None and stop > self._open.position:
            self._end(stop, last_ms + limits.HLS_STEP_MS)
            self._open = None

    def forget(self, tail: int) -> None:
        """Forget segments that begin before the log position *tail*, and those that no playlist has room for."""
        most = max(len(self.segments) - limits.HLS_WINDOW_SEGMENTS_MAX, 0)
        gone = next(
            (at for at, segment in enumerate(self.segments) if at >= most and segment.place >= tail),
            len(self.segments),
        )
        del self.segments[:gone]
        if self._open is not None and self._place < tail:
            self._open = None

    def find(self, number: int) -> PastSegment | None:
        """Return the segment of a number; None where it is not kept."""
        at = number - self.segments[0].number if self.segments else -1
        return self.segments[at] if 0 <= at < len(self.segments) else None

    def of_run(self, run: int) -> PastSegment | None:
        """Return the oldest segment of a run."""
        return next((segment for segment in self.segments if segment.run == run), None)

    def last(self, length_ms: int, head_ms: int) -> Iterator[PastSegment]:
        """The segments from the one that begins nearest to *length_ms* before the live edge, *head_ms* in stream time."""
        rows = self.segments
        ahead = max(head_ms - self._open.dts_ms, 0) if self._open is not None else 0
        wanted = self._length_ms + ahead - length_ms
        at = bisect_right(rows, wanted, key=lambda segment: segment.offset_ms)
        if at and (at == len(rows) or wanted - rows[at - 1].offset_ms <= rows[at].offset_ms - wanted):
            at -= 1
        return iter(rows[at:])

    def _begin(self, step: Step, config: tuple[object, ...], *, broken: bool) -> None:
        if not self._length_ms:
            self.next = max(self.next, step.wall_ms // limits.HLS_SEGMENT_MS_MIN)
        if config != self._config:
            self._run = self.next
        self._open, self._config, self._broken = step, config, broken
        self._place = step.position
        self._breaks += broken

    def _end(self, stop: int, end_ms: int) -> None:
        opened = self._open
        assert opened is not None
        duration = max(end_ms - opened.dts_ms, limits.HLS_STEP_MS)
        self.segments.append(
            PastSegment(
                self.next, opened.position, stop, self._place, opened.dts_ms + duration, duration, self._length_ms,
                opened.wall_ms, self._run, self._breaks, self._broken,
            )
        )  # fmt: skip
        self.next += 1
        self._length_ms += duration
        self.longest_ms = max(self.longest_ms, duration)


def sequence_headers(tags: bytes) -> tuple[tuple[int, bytes], ...]:
    """Return kinds and bodies among whole FLV *tags* that decoders need: metadata may change without them."""
    return tuple((tag.kind, bytes(tag.body)) for tag, _ in walk_tags(tags) if tag.kind != SCRIPT)
