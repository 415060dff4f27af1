"""Lineups: the publications of one live stream, of which one is on air and another may stand by."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastflv import limits
from fastflv.access.request import Role
from fastflv.net.deadline import Deadline, Timers
from fastflv.stream.hub import Switch

if TYPE_CHECKING:
    from fastflv.stream.publication import Publication

log = logging.getLogger(__name__)


class Lineup:
    """One publication on air and at most one on standby, of different roles.

    The one on standby goes on air when the other one leaves or is silent, and stays there until it fails itself or
    `failback` is due. So a primary publisher that returns stands by.
    """

    __slots__ = ("_looked", "_overdue", "_steady", "_timers", "_watch", "on_air", "standby")

    def __init__(self, timers: Timers, on_air: Publication) -> None:
        self._timers = timers
        self.on_air = on_air
        self.standby: Publication | None = None
        self._watch: Deadline | None = None
        "Of silence on air; None without a standby."
        self._overdue = False
        "The one on air is silent, and the one on standby was too."
        self._looked = 0.0
        "When media for the standby last came, monotonic clock, seconds."
        self._steady = 0.0
        "Since when it has come without a pause, likewise."

    def find(self, role: Role) -> Publication | None:
        """Return the publication of *role*, None without one."""
        return next(
            (each for each in (self.on_air, self.standby) if each and each.request.role is role), None
        )

    def stand_by(self, publication: Publication) -> None:
        """*publication* is ready to go on air from now on, instead of any other."""
        self.standby = publication
        publication.stream.standby_id = publication.request.client_id
        # Media that gathers in a socket looks like silence.
        publication.stream.hasten()
        self._looked = self._steady = self._timers.time()
        self._overdue = False
        if self._watch is None:
            self._watch = Deadline(self._timers, self._silent, step=limits.FAILOVER_MS_MIN / 1000)
        self._watch.set(self._patience, since=self._heard)

    def replace(self, publication: Publication, why: Switch) -> Publication:
        """Put *publication* on air; return the one before, which stands by nowhere."""
        before, self.on_air = self.on_air, publication
        if publication is self.standby:
            self._forget_standby()
        before.leave_air()
        publication.follow(before, why)
        log.info(
            "publisher %s of %s goes on where %s stopped: %s",
            publication.request.client_id, publication.stream.url, before.request.client_id, why.value,
            extra=publication.request.peer.marks,
        )  # fmt: skip
        return before

    def look(self, publication: Publication) -> None:
        """Media has come for *publication*, which stands by."""
        if publication is not self.standby:
            return
        now = self._timers.time()
        if now - self._looked > self._patience:
            self._steady = now
        self._looked = now
        if self._overdue:
            self._silent()
        elif self._is_due_back(publication, now):
            self._swap(publication, Switch.FAILBACK)

    def remove(self, publication: Publication) -> bool:
        """*publication* has ended; return whether another one of the stream goes on."""
        standby = self.standby
        if publication is standby:
            self._forget_standby()
        elif publication is self.on_air:
            if standby is None:
                return False
            self.replace(standby, Switch.LEFT)
        return True

    def close(self) -> None:
        """Switch no more."""
        self._forget_standby()

    @property
    def _patience(self) -> float:
        return self.on_air.options.failover

    @property
    def _heard(self) -> float:
        """When media last came on air; before the first, when the publication began."""
        return max(self.on_air.heard, self.on_air.began)

    def _silent(self) -> None:
        """Nothing has come from the publication on air for some time, or it had been so before."""
        standby, now = self.standby, self._timers.time()
        if standby is None or self._watch is None:
            return
        silent = now - self._heard >= self._patience
        self._overdue = silent and now - standby.heard >= self._patience
        if not silent:
            self._watch.set(self._patience, since=self._heard)
        elif not self._overdue:
            self._swap(standby, Switch.SILENT)

    def _swap(self, publication: Publication, why: Switch) -> None:
        before = self.replace(publication, why)
        before.stand_by()
        self.stand_by(before)

    def _is_due_back(self, publication: Publication, now: float) -> bool:
        """Whether the primary publication is to be played again with what has just come."""
        return (
            publication.options.failback
            and publication.request.role is Role.PRIMARY
            and now - self._steady >= limits.FAILBACK_SECONDS
            and publication.begins_here
        )

    def _forget_standby(self) -> None:
        self.standby = None
        self.on_air.stream.standby_id = ""
        self._overdue = False
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
