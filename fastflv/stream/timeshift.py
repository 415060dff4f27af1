"""The past of a stream: which moments of it are kept, and where a player starts."""

from __future__ import annotations

from typing import NamedTuple

from fastflv import limits
from fastflv._ext.log.excerpt import Excerpt
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.log.past import Past, Spot, Step
from fastflv._ext.log.spool import SpoolPage, pages_in_memory
from fastflv.errors import UsageError
from fastflv.stream.moment import ClipWish, Moment, RewindWish, WindowWish, wall_text


class TimeshiftOptions(NamedTuple):
    """How much of the past is kept."""

    window_ms: int = 0
    "How far it goes back, ms; 0: nothing is kept."

    bytes_max: int = limits.TIMESHIFT_BYTES
    "Likewise in bytes, at most."

    path: str = ""
    "Directory of the files that it is moved to; empty: it stays in memory."


class Timeshift:
    """The past of one stream, kept within its options."""

    __slots__ = ("_log", "_past", "failed", "options")

    def __init__(self, log: MediaLog, options: TimeshiftOptions) -> None:
        self._log = log
        self._past: Past | None = None
        self.options = options
        self.failed = False
        "The files cannot be written."
        self.adopt(options)

    def adopt(self, options: TimeshiftOptions) -> None:
        """Take the options of a new configuration."""
        self.options, self.failed = options, False
        if options.window_ms <= 0:
            if self._past is not None:
                self._past.close()
                self._past = None
        elif self._past is None:
            self._past = Past(self._log, window_ms=options.window_ms, bytes_max=options.bytes_max)
        else:
            self._past.adopt(window_ms=options.window_ms, bytes_max=options.bytes_max)

    @property
    def kept_bytes(self) -> int:
        """Memory of what is kept beyond the needs of live players, bytes."""
        return self._past.kept_bytes if self._past is not None else 0

    def pages_in_memory(self) -> list[SpoolPage]:
        """Return the oldest pages that no file has, as many as are moved at once."""
        return pages_in_memory(self._past, limits.TIMESHIFT_SPOOL_BYTES) if self._past is not None else []

    def stay_in_memory(self) -> None:
        """The files cannot be written: keep less, until the options change."""
        self.failed = True
        if self._past is not None:
            bound = min(self.options.bytes_max, limits.TIMESHIFT_MEMORY_BYTES)
            self._past.adopt(window_ms=self.options.window_ms, bytes_max=bound)

    def time_of(self, moment: Moment) -> int:
        """Return the stream time of *moment*, ms."""
        if moment.wall_ms and self._past is not None:
            return self._past.dts_at(moment.wall_ms)
        return self._log.head_dts - moment.ago_ms

    def find(self, moment: Moment) -> Spot | None:
        """Return the place nearest to *moment*, None without any."""
        return self._past.nearest(self.time_of(moment)) if self._past is not None else None

    def excerpt(self, wish: ClipWish) -> Excerpt:
        """Return what *wish* asks for, from the keyframe before its start on. Raises UsageError where that is nothing."""
        start, until = self.time_of(wish.start), self.time_of(wish.end)
        spot = self._past.before(start) if self._past is not None else None
        if spot is None or until <= spot.dts_ms:
            raise UsageError(f"{wish.text}: the end is not behind the start")
        return Excerpt(self._log, spot.position, until)

    def steps(self, behind: int, most: int) -> list[Step]:
        """Return the places behind the log position *behind*, oldest first, *most* of them."""
        return self._past.steps(behind, most) if self._past is not None else []

    @property
    def tail(self) -> int:
        """Log position of the oldest place; -1 without any."""
        oldest = self._past.oldest if self._past is not None else None
        return oldest.position if oldest is not None else -1

    def tag_before(self, position: int, dts_ms: int, kind: int) -> tuple[int, int] | None:
        """Return log position and time of the newest frame of *kind* behind *position* that is not behind *dts_ms*."""
        return self._past.tag_before(position, dts_ms, kind) if self._past is not None else None

    def part(self, start: int, stop: int, place: int) -> Excerpt:
        """Return what lies between two log positions, with the headers of *place*. Raises UsageError where it is not kept."""
        return Excerpt(self._log, start, stop=stop, place=place)

    def refusal(self, name: str, wish: RewindWish | ClipWish | WindowWish) -> str:
        """Why the stream *name* cannot be had from the moments of *wish*, in one sentence; empty when it can."""
        what = wish.text
        if self._past is None:
            return f"`{name}` keeps no past, so {what} cannot be had; `timeshift` would keep it"
        if isinstance(wish, WindowWish) and wish.seconds * 1000 <= self.options.window_ms:
            # A stream that is younger has its whole past in the playlist.
            return ""
        oldest = self._past.oldest
        if oldest is None:
            return f"`{name}` has no past yet, so {what} cannot be had"
        moments = wish.moments if not isinstance(wish, WindowWish) else None
        if moments and all(oldest.dts_ms <= self.time_of(moment) <= self._log.head_dts for moment in moments):
            return ""
        seconds = (self._log.head_dts - oldest.dts_ms) / 1000
        return (
            f"`{name}` can be had from {seconds:.1f} s ago on, since {wall_text(oldest.wall_ms)}; "
            f"{what} asks for something else"
        )
