"""Arrivals: who has come and is no player or publisher yet."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from enum import Enum
from typing import Protocol

from fastflv.access.request import AccessRequest
from fastflv.access.tally import Tally
from fastflv.net.peer import Peer
from fastflv.stream.endreason import EndReason
from fastflv.stream.history import History


class ClientState(Enum):
    """How far a client has come; the values are words of the HTTP API."""

    CONNECTED = "connected"
    "An RTMP peer that has not asked to publish or play."

    ASKING = "asking"
    "A rule has yet to answer."

    WAITING = "waiting"
    "For a stream, or for its tracks."

    PLAYING = "playing"
    PUBLISHING = "publishing"
    STANDBY = "standby"
    "A publisher that is ready to follow the one that is played."


class Arrival(Protocol):
    """Who holds it tells `Clients` when it is over."""

    @property
    def id(self) -> str:
        """That of the client that it becomes."""

    @property
    def peer(self) -> Peer: ...

    @property
    def request(self) -> AccessRequest | None:
        """None before the first command."""

    @property
    def tc_url(self) -> str:
        """As `AccessRequest.tc_url`; empty before an RTMP peer has said it."""

    @property
    def page_url(self) -> str: ...

    @property
    def state(self) -> ClientState: ...

    def drop(self, reason: EndReason) -> None:
        """Refuse or disconnect it."""


class Applicant:
    """An arrival with a request. Base of joins and pending publishes."""

    __slots__ = ("request",)

    def __init__(self, request: AccessRequest) -> None:
        self.request = request

    @property
    def id(self) -> str:
        return self.request.client_id

    @property
    def peer(self) -> Peer:
        return self.request.peer

    @property
    def tc_url(self) -> str:
        return self.request.tc_url

    @property
    def page_url(self) -> str:
        return self.request.page_url


class Arrivals:
    """Those who wait, by id, in the order they came. One costs an entry; who is answered at once has none."""

    def __init__(self, taken: Container[str], history: History, tally: Tally) -> None:
        """*taken*: ids of players and publishers. *tally*: counts those who have asked."""
        self._taken = taken
        self._tally = tally
        self._history = history
        self._arrivals: dict[str, tuple[Arrival, float]] = {}
        self.watchers: list[Callable[[str, str], None]] = []
        "Called with the id of each arrival that is over, whether it was listed or not, and the reason."

    def __len__(self) -> int:
        return len(self._arrivals)

    def __iter__(self) -> Iterator[tuple[Arrival, float]]:
        """Each with the time at which it came (monotonic clock, seconds)."""
        return iter(self._arrivals.values())

    def find(self, id: str) -> tuple[Arrival, float] | None:
        return self._arrivals.get(id)

    def add(self, arrival: Arrival, now: float) -> None:
        """List *arrival*, at *now* (monotonic clock, seconds), in the place of one with its id."""
        known = self._arrivals.get(arrival.id)
        if known is None:
            if arrival.id not in self._taken:
                self._put(arrival, now)
        elif known[0].peer.ip == arrival.peer.ip:
            # Session ids of HLS are the client's choice: nobody takes another's place.
            self._tally.leave(arrival.id)
            self._put(arrival, known[1])

    def become(self, id: str) -> None:
        """An arrival becomes a player or publisher; no harm where it never had to wait."""
        if self._arrivals.pop(id, None) is not None:
            self._tally.leave(id)

    def settle(self, arrival: Arrival) -> None:
        """*arrival* has its answer; no harm where it is not listed."""
        if self._lists(arrival):
            self.become(arrival.id)

    def withdraw(self, arrival: Arrival, reason: str, now: float) -> None:
        """*arrival* went away; no harm where it is not listed. *reason*: one clause."""
        if self._lists(arrival):
            self.refuse(arrival, reason, now)
        else:
            self._tell(arrival, reason)

    def refuse(self, arrival: Arrival, reason: str, now: float) -> None:
        """*arrival*, listed or not, does not get what it asked for. *reason*: one clause."""
        known = self._arrivals.get(arrival.id)
        since = now
        if known is not None and known[0].peer.ip == arrival.peer.ip:
            since = known[1]
            self.become(arrival.id)
        self._history.keep_arrival(arrival, reason, seconds=now - since)
        self._tell(arrival, reason)

    def _tell(self, arrival: Arrival, reason: str) -> None:
        """A player or publisher of that id goes on, and is told of when it leaves."""
        if arrival.id not in self._taken:
            for watcher in self.watchers:
                watcher(arrival.id, reason)

    def _put(self, arrival: Arrival, since: float) -> None:
        self._arrivals[arrival.id] = arrival, since
        if arrival.request is not None:
            self._tally.enter(arrival.request)

    def _lists(self, arrival: Arrival) -> bool:
        known = self._arrivals.get(arrival.id)
        return known is not None and known[0] is arrival
