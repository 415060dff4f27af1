"""Wishes: those who wait for a stream that is fetched."""

from __future__ import annotations

from typing import Protocol

from fastflv.access.request import AccessRequest
from fastflv.playing.join import Absent, JoinFailure
from fastflv.stream.name import StreamName


class Wished(Protocol):
    """What wishes are for."""

    @property
    def name(self) -> StreamName: ...

    @property
    def failure(self) -> tuple[JoinFailure, str]:
        """What those who have waited in vain are told."""

    def unwish(self, wish: Wish) -> None:
        """One who waited has the stream, or is gone."""


class Wish:
    """One who waits for a stream: `Fetching` of its join."""

    __slots__ = ("_absent", "_wished", "patient_until", "request")

    def __init__(self, wished: Wished, request: AccessRequest, absent: Absent, patient_until: float) -> None:
        self._wished: Wished | None = wished
        self._absent = absent
        self.request = request
        self.patient_until = patient_until
        "Until when it waits for a publisher, monotonic clock, seconds."

    @property
    def failure(self) -> tuple[JoinFailure, str]:
        """What to answer if the stream does not come in time."""
        return self._wished.failure if self._wished is not None else (JoinFailure.MISSING, "nobody has it")

    def cancel(self) -> None:
        """The wait is over; no harm when it was before."""
        wished, self._wished = self._wished, None
        if wished is not None:
            wished.unwish(self)

    def refuse(self, failure: JoinFailure, why: str) -> None:
        """Tell that the stream does not come."""
        self._wished = None
        self._absent(failure, why)
