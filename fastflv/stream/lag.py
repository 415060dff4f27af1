"""Players that lag: the steps taken for one, and their counts."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from fastflv import limits


class Lag(NamedTuple):
    """Steps for a player that lags: beyond which age of the oldest media that its peer has not got, ms."""

    drop_ms: int = limits.LAG_DROP_MS
    "It is sent no pictures that no other refers to."

    jump_ms: int = limits.LAG_JUMP_MS
    "It goes on at the newest keyframe."

    close_ms: int = limits.LAG_CLOSE_MS
    "It is disconnected."


class LagCounters(Protocol):
    """What follows a log for one player, and counts."""

    @property
    def lag_ms(self) -> int: ...

    @property
    def drops(self) -> int: ...

    @property
    def dropped(self) -> int: ...

    @property
    def jumps(self) -> int: ...


class Steps(NamedTuple):
    """The lag of a player, and the steps taken because of it."""

    lag_ms: int = 0
    "Age of the oldest media that its peer has not got, ms, at the last look; 0 while it keeps up."

    drops: int = 0
    "Times it began to be sent no pictures that no other refers to."

    dropped: int = 0
    "Pictures left out so."

    jumps: int = 0
    "Times it was moved on to a keyframe."

    def then(self, reader: LagCounters | None) -> Steps:
        """Return these with those of *reader*, who came after them; without one nothing lags."""
        if reader is None:
            return self if not self.lag_ms else self._replace(lag_ms=0)
        lag, drops, dropped, jumps = reader.lag_ms, reader.drops, reader.dropped, reader.jumps
        if self is NO_STEPS and not (lag or drops or dropped or jumps):
            return self
        return Steps(lag, self.drops + drops, self.dropped + dropped, self.jumps + jumps)

    def __str__(self) -> str:
        return f"{self.drops} times thinned by {self.dropped} pictures, {self.jumps} jumps"


class Beginning(NamedTuple):
    """When a player was sent its first things, seconds by the monotonic clock; 0: not yet, below 0: nobody knows."""

    first: float = 0.0
    "A first byte."

    key: float = 0.0
    "A first keyframe, whole or begun."


UNBEGUN: Final = Beginning()

NO_STEPS: Final = Steps()
"Shared: most players of thousands take none."
