"""A stream as it was some time ago, for one player: a log of its own that grows at the pace of the stream."""

from __future__ import annotations

from fastflv import limits
from fastflv._ext.mux.replay import Replay
from fastflv.config.model.play import StartMode
from fastflv.containers.variant import PLAIN, Variant
from fastflv.errors import UsageError
from fastflv.stream.moment import RewindWish
from fastflv.stream.outlets import Outlet, Outlets
from fastflv.stream.start import Start, StartBurst
from fastflv.stream.stream import Phase, Stream
from fastflv.stream.tracks import Tracks


class Rewind:
    """Plays like a `Stream`: players open its outlets, and start where they asked for.

    A player reads what is written for it alone, so its lag is counted from where it should be; slow players take the
    same steps as at the live edge. While nobody reads, the time of the past stands still.
    """

    def __init__(self, stream: Stream, wish: RewindWish, now: float) -> None:
        """*now*: monotonic clock, seconds. Raises UsageError where the past has no such place."""
        spot = stream.timeshift.find(wish.start)
        if spot is None:
            raise UsageError(f"`{stream.name.url}` has no past")
        self.stream = stream
        self._chase = wish.chase
        self._replay = Replay(stream.log, stream.new_log(), spot.position, wish.chase)
        self.log = self._replay.log
        self.outlets = Outlets(self._replay)
        self._until_ms = float(spot.dts_ms)
        self._began = False
        self._at = now

    @property
    def phase(self) -> Phase:
        return Phase.ENDED if self.log.ended else Phase.LIVE

    @property
    def done(self) -> bool:
        """No more will be written."""
        return self.log.ended

    @property
    def is_live(self) -> bool:
        """It has caught up with the stream, and goes with it."""
        return self._replay.is_live

    @property
    def kept_bytes(self) -> int:
        """Memory of its logs."""
        return sum(outlet.log.kept_bytes for outlet in self.outlets)

    def open(self, variant: Variant = PLAIN, *, resumes: bool = False) -> Outlet:
        """Return the log of *variant* for a reader; *resumes* is of no meaning for the past."""
        return self.outlets.open(variant, self.stream.new_log)

    def start(
        self,
        outlet: Outlet,
        claims: Tracks | None = None,
        begin: StartMode | None = None,
        *,
        true_pace: bool = False,
        resumes: bool = False,
    ) -> Start:
        """Where a player of *outlet* starts: at the keyframe that it asked for; with KEY, at the next one."""
        return outlet.starts.begin(
            StartMode.KEY if begin is StartMode.KEY else StartMode.GOP, StartBurst(), claims
        )

    def advance(self, now: float) -> None:
        """Write what is due at *now*, monotonic clock, seconds."""
        past, self._at = now - self._at, now
        if not any(outlet.log.readers or outlet.log.moving for outlet in self.outlets):
            return
        if not self._began:
            self._began = True
            self._until_ms += limits.REWIND_BURST_MS
        self._until_ms += past * 1000 * self._chase
        self._replay.advance(int(self._until_ms))

    def close(self) -> None:
        """Nobody plays it any more, or the server stops: what reads it still gets the rest, then the end."""
        self._replay.stop()
        if not self.log.ended:
            self.log.end()
        self.outlets.end()
