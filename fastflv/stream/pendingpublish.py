"""Pending publishes: the way of a publisher of any protocol from its request to a publication."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from fastflv._ext.ingest.lowwater import LowWater
from fastflv.access.request import AccessRequest, Role
from fastflv.access.rule import Waiting
from fastflv.access.verdict import Redirected, Refusal, Refused, Verdict
from fastflv.config.masking import masked
from fastflv.errors import StreamBusyError
from fastflv.stream.arrival import Applicant, ClientState
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.publication import Publication, Publications, PublishOptions, Source

log = logging.getLogger(__name__)


class PublishFailure(Enum):
    """Why a publisher does not get its publication."""

    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    REDIRECTED = "redirected"
    TOO_MANY = "too many"
    "The address of the publisher has as much as it may have."

    FULL = "full"
    "The vhost or the server has as much as it may have."

    UNAVAILABLE = "unavailable"
    "Who decides about it does not answer."

    BUSY = "busy"
    "The name has a publisher already."


REFUSALS = {kind: PublishFailure(kind.value) for kind in Refusal}


@dataclass(frozen=True, slots=True)
class PublishRefused:
    """The answer to a publisher that does not get its publication; servers say it in their protocol."""

    failure: PublishFailure
    reason: str
    "One sentence; the URL where redirected."

    retry_after: float = 0.0
    "Seconds after which a new request makes sense, for TOO_MANY, FULL and UNAVAILABLE."


def with_role(request: AccessRequest, suffix: str) -> AccessRequest:
    """Return *request* as rules see it: of the stream that it feeds, and with its role.

    `role=backup` in the query makes a backup, and so does a name that ends in *suffix*, if that is not empty.
    """
    stream = request.stream
    if suffix and stream.endswith(suffix) and len(stream) > len(suffix):
        return replace(request, stream=stream.removesuffix(suffix), role=Role.BACKUP)
    if request.param and request.query.get("role") == Role.BACKUP.value:
        return replace(request, role=Role.BACKUP)
    return request


class PendingPublish(Applicant):
    """One pending publish: the gate, then the name, which has one publisher at a time.

    After `begin` exactly one of *admitted* and *refused* is called, within `begin` or later, and none after
    `cancel`. The log has one line for each refusal.
    """

    __slots__ = (
        "_admitted", "_low_water", "_name", "_options", "_publications", "_refused", "_source", "_waiting",
    )  # fmt: skip

    def __init__(
        self,
        publications: Publications,
        request: AccessRequest,
        name: StreamName,
        source: Source,
        *,
        options: Callable[[], PublishOptions],
        admitted: Callable[[Publication], None],
        refused: Callable[[PublishRefused], None],
        low_water: LowWater | None = None,
    ) -> None:
        """*options* is called again once the gate has admitted the request: a reload may come while it waits.

        *source* feeds the publication; *low_water*: of a plain socket that carries no other publish.
        """
        super().__init__(with_role(request, options().backup_suffix))
        self._publications = publications
        self._name = name._replace(stream=self.request.stream)
        self._source = source
        self._options = options
        self._admitted = admitted
        self._refused = refused
        self._low_water = low_water
        self._waiting: Waiting | None = None

    def begin(self) -> None:
        """Ask the gate, then take the name."""
        verdict = self._publications.gate.admit(self.request, self._judged)
        if isinstance(verdict, Verdict):
            self._judged(verdict)
        else:
            self._waiting = verdict
            self._publications.clients.arrivals.add(self, self._publications.timers.time())

    @property
    def state(self) -> ClientState:
        return ClientState.ASKING

    def drop(self, reason: EndReason) -> None:
        """Refuse a publish that waits."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
            self._refuse(PublishFailure.FORBIDDEN, reason.value)

    def cancel(self) -> None:
        """The publisher is gone; no harm when it has its answer."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
            shared = self._publications
            shared.clients.arrivals.withdraw(self, EndReason.PEER_CLOSED.value, shared.timers.time())

    def _judged(self, verdict: Verdict) -> None:
        self._waiting = None
        if isinstance(verdict, Refused):
            self._refuse(REFUSALS[verdict.kind], verdict.reason, verdict.retry_after)
        elif isinstance(verdict, Redirected):
            self._refuse(PublishFailure.REDIRECTED, verdict.url)
        else:
            self._take_name()

    def _take_name(self) -> None:
        try:
            publication = self._publications.begin(
                self._name, self._options(), self.request, self._source, self._low_water
            )
        except StreamBusyError as error:
            self._refuse(PublishFailure.BUSY, error.detail)
        else:
            self._admitted(publication)

    def _refuse(self, failure: PublishFailure, reason: str, retry_after: float = 0.0) -> None:
        request = self.request
        shown = masked(reason) if failure is PublishFailure.REDIRECTED else reason
        shared = self._publications
        shared.clients.arrivals.refuse(self, f"{failure.value}: {shown}", shared.timers.time())
        log.info(
            "publisher %s from %s of %s refused: %s, %s",
            request.client_id, request.peer.ip, self._name.url, failure.value, shown,
            extra=request.peer.marks,
        )  # fmt: skip
        self._refused(PublishRefused(failure, reason, retry_after))
