"""Joins: the way of a player of any protocol from its request to a stream whose tracks are known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from fastflv import limits
from fastflv.access.gate import Gate
from fastflv.access.request import AccessRequest
from fastflv.access.rule import Waiting
from fastflv.access.verdict import ALLOW, Allowed, Redirected, Refusal, Refused, Verdict
from fastflv.config.masking import masked
from fastflv.containers.variant import Variant
from fastflv.net.deadline import Deadline
from fastflv.net.peerlog import peer_logger
from fastflv.net.turns import Turns
from fastflv.playing.rewinds import Rewinds
from fastflv.stream.arrival import Applicant, ClientState
from fastflv.stream.clients import Clients
from fastflv.stream.endreason import EndReason
from fastflv.stream.hub import Hub
from fastflv.stream.moment import ClipWish, RewindWish, WindowWish
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream

log = peer_logger(__name__)


class JoinFailure(Enum):
    """Why a player does not get its stream."""

    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    REDIRECTED = "redirected"
    MISSING = "missing"
    "Nobody published the stream within `on_missing`."

    UNPLAYABLE = "unplayable"
    "The stream has no such track, or its codec does not fit the container."

    OUTSIDE = "outside of the past"
    "The stream keeps no such past."

    TOO_MANY = "too many"
    "The address of the player has as much as it may have."

    FULL = "full"
    "The stream, the vhost or the server has as much as it may have."

    UNAVAILABLE = "unavailable"
    "Who decides about it does not answer."

    NO_ROOM = "no room"
    "Too many choices of the stream are being played already."


REFUSALS: dict[Refusal, JoinFailure] = {
    kind: JoinFailure(kind.value) for kind in Refusal if kind is not Refusal.BUSY
}


@dataclass(frozen=True, slots=True)
class JoinRefused:
    """The answer to a player that does not get its stream; servers say it in their protocol."""

    failure: JoinFailure
    reason: str
    "One sentence; the URL where redirected."

    retry_after: float = 0.0
    "Seconds after which a new request makes sense, for MISSING, NO_ROOM, TOO_MANY, FULL and UNAVAILABLE."


Absent = Callable[[JoinFailure, str], None]
"Is told that no server has the stream, and why, in one sentence."


class Fetching(Protocol):
    """A stream that is fetched from another server, as one who waits for it sees it."""

    @property
    def failure(self) -> tuple[JoinFailure, str]:
        """What to answer if it does not come in time."""

    def cancel(self) -> None:
        """The wait is over; no harm when it was before."""


class Fetches(Protocol):
    """What fetches streams from other servers."""

    def fetch(
        self, request: AccessRequest, name: StreamName, absent: Absent, on_missing: float
    ) -> Fetching | None:
        """Fetch a stream because of *request*; None where streams of its vhost are published here.

        *absent* is called later and once, where no other server has it *on_missing* seconds after the request, and
        not after `cancel`.
        """


class Joins:
    """What all joins of a server share."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, hub: Hub, gate: Gate, turns: Turns, clients: Clients
    ) -> None:
        self.loop = loop
        self.clients = clients
        self.turns = turns
        self.hub = hub
        self.gate = gate
        self.rewinds = Rewinds(loop)
        self.fetches: Fetches | None = None
        "None: streams are published here."


class Join(Applicant):
    """One pending play: gate, then the stream, then its tracks.

    After `begin` exactly one of *ready* and *refused* is called, within `begin` or later, and none after
    `cancel`. A join that waits costs one entry in the hub or in a rule, and delays nobody else.
    """

    __slots__ = (
        "_admitted", "_fetching", "_joins", "_name", "_on_missing", "_past", "_patience", "_ready", "_refused", "_room",
        "_variant", "_waiting", "asked",
    )  # fmt: skip

    def __init__(
        self,
        joins: Joins,
        request: AccessRequest,
        name: StreamName,
        *,
        on_missing: float,
        ready: Callable[[Stream], None],
        refused: Callable[[JoinRefused], None],
        variant: Variant | None = None,
        past: RewindWish | ClipWish | WindowWish | None = None,
        room: Callable[[], str] | None = None,
        admitted: Callable[[], bool] | None = None,
    ) -> None:
        """*on_missing*: how long to wait for a publisher, seconds. *variant*, *past*: refused where
        the stream cannot be it, or keeps no such past. *room*: why there is no room for what is wanted; empty where there is.

        *admitted* is called once the gate has admitted the request; when it returns True the request is
        answered already, and no stream is looked for.
        """
        super().__init__(request)
        self.asked = joins.loop.time()
        "When the request came, monotonic clock, seconds."
        self._joins = joins
        self._name = name
        self._on_missing = on_missing
        self._variant = variant
        self._past = past
        self._room = room
        self._ready: Callable[[Stream], None] | None = ready
        self._refused: Callable[[JoinRefused], None] | None = refused
        self._admitted = admitted
        self._waiting: Waiting | None = None
        self._patience: Deadline | None = None
        self._fetching: Fetching | None = None

    def begin(self, *, ask: bool = True) -> None:
        """Ask the gate, then look for the stream. *ask* off: the gate has admitted this viewer before."""
        verdict = self._joins.gate.admit(self.request, self._judged) if ask else ALLOW
        if isinstance(verdict, Verdict):
            self._judged(verdict)
        else:
            self._waiting = verdict
            self._joins.clients.arrivals.add(self, self._joins.loop.time())

    @property
    def state(self) -> ClientState:
        return ClientState.ASKING if self._waiting is not None else ClientState.WAITING

    def drop(self, reason: EndReason) -> None:
        """Refuse a join that waits."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
        self._stop_waiting()
        if self._refused is not None:
            self.refuse(JoinFailure.FORBIDDEN, reason.value)

    def cancel(self) -> None:
        """The player is gone, or wants no more."""
        self._forget_owner()
        joins = self._joins
        joins.clients.arrivals.withdraw(self, EndReason.PEER_CLOSED.value, joins.loop.time())
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
        self._stop_waiting()

    def _judged(self, verdict: Verdict) -> None:
        self._waiting = None
        if self._ready is None:
            return
        if isinstance(verdict, Refused):
            self.refuse(REFUSALS[verdict.kind], verdict.reason, verdict.retry_after)
        elif isinstance(verdict, Redirected):
            self.refuse(JoinFailure.REDIRECTED, verdict.url)
        elif self._admitted is not None and self._admitted():
            self._joins.clients.arrivals.settle(self)
            self._forget_owner()
        else:
            self._find()

    def _find(self) -> None:
        stream = self._joins.hub.find(self._name)
        if stream is not None and stream.settled:
            self._found(stream)
            return
        fetches = self._joins.fetches
        if fetches is not None:
            self._fetching = fetches.fetch(self.request, self._name, self._absent, self._on_missing)
        if stream is None and self._on_missing <= 0 and self._fetching is None:
            self._missed()
        else:
            self._joins.hub.wait(self._name, self._appeared)
            self._joins.clients.arrivals.add(self, self._joins.loop.time())
            least = limits.FETCH_SECONDS_MIN if self._fetching is not None else limits.MISSING_SECONDS_MIN
            seconds = max(self._on_missing, least)
            self._patience = Deadline(self._joins.turns, self._missed)
            self._patience.set(seconds)

    def _appeared(self, stream: Stream) -> None:
        """The stream that was waited for is there. A crowd that waited enters it in turns."""
        # Thousands are told at one moment, and their publisher waits: all but the first do no more than this here.
        if self._joins.turns.open():
            self._enter()
        else:
            self._joins.turns.queue(self._enter)

    def _enter(self) -> None:
        """Go on after the wait. The rules may have changed in the meantime, and the stream may be gone again."""
        if self._ready is None:
            return
        self._stop_waiting()
        verdict = self._joins.gate.recheck(self.request)
        if isinstance(verdict, Allowed):
            self._find()
        else:
            self._judged(verdict)

    def _found(self, stream: Stream) -> None:
        why = stream.refusal(self._variant) if self._variant is not None else ""
        past = full = ""
        if self._past is not None:
            past = stream.timeshift.refusal(stream.name.url, self._past)
        if self._room is not None:
            full = self._room()
        elif self._variant is not None:
            full = stream.outlets.refusal(self._variant)
        if why:
            self.refuse(JoinFailure.UNPLAYABLE, why)
        elif past:
            self.refuse(JoinFailure.OUTSIDE, past)
        elif full:
            self.refuse(JoinFailure.NO_ROOM, full, limits.NO_ROOM_SECONDS)
        else:
            ready = self._ready
            self._joins.clients.arrivals.settle(self)
            self._forget_owner()
            if ready is not None:
                ready(stream)

    def _missed(self) -> None:
        stream = self._joins.hub.find(self._name)
        if stream is not None and stream.settled:
            # Its turn to enter comes.
            return
        fetching = self._fetching
        if fetching is not None:
            self._absent(*fetching.failure)
        else:
            self._absent(JoinFailure.MISSING, f"no stream {self._name.url} is live")

    def _absent(self, failure: JoinFailure, why: str) -> None:
        self._stop_waiting()
        self.refuse(failure, why, max(1.0, self._on_missing))

    def refuse(self, failure: JoinFailure, reason: str, retry_after: float = 0.0) -> None:
        """End the join with a refusal, which is logged."""
        refused = self._refused
        self._forget_owner()
        request = self.request
        shown = masked(reason) if failure is JoinFailure.REDIRECTED else reason
        self._joins.clients.arrivals.refuse(self, f"{failure.value}: {shown}", self._joins.loop.time())
        log.info(
            "player %s from %s of %s refused: %s, %s",
            request.client_id, request.peer.ip, self._name.url, failure.value, shown,
            extra=request.peer.marks,
        )  # fmt: skip
        if refused is not None:
            refused(JoinRefused(failure, reason, retry_after))

    def _forget_owner(self) -> None:
        """The join is over. Its owner holds it, so that the methods it was given would be a cycle."""
        self._ready = self._refused = self._admitted = None

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        fetching, self._fetching = self._fetching, None
        if fetching is not None:
            fetching.cancel()
        self._joins.hub.forget(self._name, self._appeared)
