"""Intakes: one publish of an FLV byte stream each, whatever carries it: an HTTP body, a WebSocket, a TCP connection.

Spec: Adobe FLV v10.1, E.2 to E.4.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

from fastflv._ext.ingest.lowwater import LowWater
from fastflv._ext.ingest.tagread import TagReader
from fastflv._ext.ingest.tagstate import restore_tags, tags_state
from fastflv.access.request import AccessRequest
from fastflv.containers.flv.metadata import script_name
from fastflv.errors import PeerError
from fastflv.net.turns import Turns
from fastflv.protocols.messagebudget import MessageBudget
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.pendingpublish import PendingPublish, PublishRefused
from fastflv.stream.publication import Publication, Publications, PublishOptions
from fastflv.stream.stream import Stream
from fastflv.stream.streamstate import request_state

log = logging.getLogger(__name__)


class Carrier(Protocol):
    """The connection whose bytes an intake takes."""

    @property
    def sent(self) -> int:
        """Bytes sent to the publisher since its connection began."""

    def admitted(self) -> None:
        """The publish was admitted: give what comes to `Intake.feed`."""

    def refused(self, refused: PublishRefused) -> None:
        """The publish was not admitted; nothing else follows."""

    def failed(self, why: str) -> None:
        """The publish is over: its bytes are no FLV that can be taken."""

    def dropped(self, reason: EndReason) -> None:
        """The publish is over: the server has ended it."""

    def pause(self) -> None:
        """Give nothing to `Intake.feed` until `resume`."""

    def resume(self) -> None: ...


class IntakeState(TypedDict):
    """A publish of an FLV byte stream, for another process."""

    stream: str
    "Its id."

    request: dict[str, Any]
    bytes_before: int
    joined: float
    reader: dict[str, Any]
    "As `tags_state` has it."


@dataclass(frozen=True, slots=True)
class Intakes:
    """What the intakes of a server share."""

    publications: Publications
    turns: Turns
    options_of: Callable[[str], PublishOptions]
    "The present options of a vhost by its own name."


class Intake:
    """One publish, from its request through the gate to its end: the source of a publication."""

    __slots__ = (
        "_budget",
        "_carrier",
        "_pending",
        "_publication",
        "_reader",
        "_request",
        "_rest",
        "_shared",
    )

    def __init__(
        self,
        shared: Intakes,
        carrier: Carrier,
        request: AccessRequest,
        name: StreamName,
        *,
        low_water: LowWater | None = None,
    ) -> None:
        """*low_water*: of a plain socket that carries nothing else."""
        self._shared = shared
        self._carrier: Carrier | None = carrier
        "None once the publish is over: the carrier holds the intake."
        self._request = request
        self._reader = TagReader()
        self._budget = MessageBudget()
        self._rest: bytes | None = None
        "What stands behind script data that waits for a turn of the loop; None: nothing waits."
        self._publication: Publication | None = None
        self._pending: PendingPublish | None = PendingPublish(
            shared.publications,
            request,
            name,
            self,
            options=lambda: shared.options_of(name.vhost),
            admitted=self._admitted,
            refused=self._refused,
            low_water=low_water,
        )

    def begin(self) -> None:
        """Ask the gate. Call it once."""
        assert self._pending is not None
        self._pending.begin()

    # --- to another process ---

    @property
    def carrier(self) -> Carrier | None:
        """What its bytes come by; None once the publish is over."""
        return self._carrier

    def state(self) -> IntakeState | None:
        """Return as plain values where it is; None where another process cannot go on with it."""
        publication = self._publication
        client = publication.client if publication is not None else None
        if publication is None or client is None or self._rest is not None or not publication.sink.on_air:
            return None
        return {
            "stream": client.stream.id,
            "request": request_state(client.request),
            "bytes_before": publication.bytes_before,
            "joined": client.joined,
            "reader": tags_state(self._reader),
        }

    def part(self) -> None:
        """Another process goes on with the publish: forget it, and tell nobody."""
        self._reader.sink = None
        if self._publication is not None:
            self._publication.part()
        self._carrier = None

    def resume(self, stream: Stream, state: IntakeState, *, low_water: LowWater | None = None) -> None:
        """Go on as `state` says, in place of `begin`; *stream* is resumed. Raises HandoverError and what `MALFORMED` names."""
        self._pending = None
        shared = self._shared
        restore_tags(self._reader, state["reader"])
        publication = self._publication = shared.publications.resume(
            stream,
            shared.options_of(stream.name.vhost),
            self._request,
            self,
            low_water,
            float(state["joined"]),
        )
        publication.resume(int(state["bytes_before"]))
        self._reader.sink = publication.sink

    # --- of the carrier ---

    def feed(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes, which are borrowed for this call. What comes behind the end is ignored."""
        self._take(chunk, fresh=True)

    def finish(self) -> bool:
        """The publisher has sent its last byte; return whether the publish ended well, and not before its header."""
        publication = self._publication
        if publication is None or publication.ended:
            return False
        if not self._reader.has_header:
            self._fail(publication, "the FLV header is missing or cut off")
            return False
        self._end(EndReason.STOPPED)
        return True

    def cancel(self, reason: EndReason = EndReason.PEER_CLOSED) -> None:
        """The publisher is gone. No harm when the publish is over."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()
        self._end(reason)

    # --- the gate ---

    def _admitted(self, publication: Publication) -> None:
        self._pending = None
        self._publication = publication
        self._reader.sink = publication.sink
        if self._carrier is not None:
            self._carrier.admitted()

    def _refused(self, refused: PublishRefused) -> None:
        self._pending = None
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            carrier.refused(refused)

    # --- media ---

    def _take(self, chunk: bytes | memoryview, *, fresh: bool) -> None:
        """Take *chunk*. *fresh* off: what is in the reader's message stands before it."""
        publication = self._publication
        if publication is None or publication.ended:
            return
        shared = self._shared
        now = shared.publications.timers.time()
        publication.begin_read(now)
        reader = self._reader
        try:
            at = reader.feed(chunk) if fresh else 0
            while reader.message is not None:
                if not shared.turns.open():
                    self._rest = bytes(chunk[at:])
                    assert self._carrier is not None
                    self._carrier.pause()
                    shared.turns.queue(self._go_on)
                    break
                _, timestamp, body = reader.message
                self._budget.spend(len(body), now)
                name = script_name(body)
                if name:
                    publication.take_script(name, body, timestamp)
                at = reader.feed(chunk, at)
        except PeerError as error:
            self._fail(publication, str(error))
            return
        publication.end_read(inside=reader.inside)

    def _go_on(self) -> None:
        rest, self._rest = self._rest, None
        assert rest is not None
        self._take(rest, fresh=False)
        if self._rest is None and self._carrier is not None:
            self._carrier.resume()

    def _fail(self, publication: Publication, why: str) -> None:
        request = self._request
        log.info(
            "%s %s: publish of %s refused: %s",
            request.scheme, request.peer.ip, publication.stream.url, why, extra=request.peer.marks,
        )  # fmt: skip
        carrier = self._end(EndReason.PROTOCOL)
        if carrier is not None:
            carrier.failed(why)

    def _end(self, reason: EndReason) -> Carrier | None:
        """End the publish, once; return the carrier then."""
        if self._publication is not None:
            # While the carrier is known: its bytes are counted.
            self._publication.end(reason)
        self._reader.sink = None
        carrier, self._carrier = self._carrier, None
        return carrier

    # --- Source ---

    @property
    def sent(self) -> int:
        return self._carrier.sent if self._carrier is not None else 0

    def publication_dropped(self, publication: Publication, reason: EndReason) -> None:
        carrier = self._end(reason)
        if carrier is not None:
            carrier.dropped(reason)
