"""Servers that cannot be reached: of all forwards to one of them, one goes on trying, and the others wait for it.

So a destination that is away costs one refused connection a pause, however many streams it should have.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from fastflv.net.deadline import Timers

Place = tuple[str, int]
"Host and port."


class Trier(Protocol):
    """Who wants to connect."""

    def retry(self) -> None:
        """The server may be there: try now."""


@dataclass(slots=True)
class _Away:
    """A server that could not be reached."""

    prober: Trier
    "Goes on trying."

    waiting: dict[Trier, None] = field(default_factory=dict)


class Reach:
    """Which servers are away."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._away: dict[Place, _Away] = {}

    def __len__(self) -> int:
        return len(self._away)

    def may_try(self, place: Place, trier: Trier) -> bool:
        """Return whether *trier* connects now; if not, it is called once the server is there, or when it is its turn to try."""
        away = self._away.get(place)
        if away is None or away.prober is trier:
            return True
        away.waiting[trier] = None
        return False

    def failed(self, place: Place, trier: Trier) -> bool:
        """*trier* could not connect; return whether it is the one that tries again."""
        away = self._away.setdefault(place, _Away(trier))
        if away.prober is not trier:
            away.waiting[trier] = None
        return away.prober is trier

    def worked(self, place: Place) -> None:
        """Somebody has connected: the others do, as the turns of the loop allow."""
        away = self._away.pop(place, None)
        for trier in away.waiting if away is not None else ():
            self._timers.call_soon(trier.retry)

    def leave(self, place: Place, trier: Trier) -> None:
        """*trier* does not want to connect any more."""
        away = self._away.get(place)
        if away is None:
            return
        away.waiting.pop(trier, None)
        if away.prober is trier:
            following = next(iter(away.waiting), None)
            if following is None:
                del self._away[place]
            else:
                del away.waiting[following]
                away.prober = following
                self._timers.call_soon(following.retry)
