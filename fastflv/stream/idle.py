"""Publishers that nobody plays: disconnected after a while where `kickoff_for_idle` is set."""

from __future__ import annotations

import logging
from functools import partial

from fastflv import limits
from fastflv.net.deadline import Deadline, Timers
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason

log = logging.getLogger(__name__)


class IdlePublishers:
    """A deadline for each publisher with a bound; the last player that leaves moves it. Readers that are no clients do not count."""

    def __init__(self, timers: Timers, clients: Clients) -> None:
        self._timers = timers
        self._clients = clients
        self._deadlines: dict[str, Deadline] = {}
        "By id of the publisher."
        clients.left.append(self._client_left)

    def watch(self, publisher: Client, seconds: float) -> None:
        """Disconnect *publisher* once nobody has played its stream for *seconds*, counted from now; 0: never."""
        self._forget(publisher)
        if seconds > 0:
            expired = partial(self._expired, publisher, seconds)
            deadline = Deadline(self._timers, expired, step=limits.WATCH_SECONDS_MIN)
            self._deadlines[publisher.id] = deadline
            deadline.set(seconds)

    def _client_left(self, client: Client, reason: EndReason) -> None:
        if not self._deadlines:
            return
        if client.publish:
            self._forget(client)
            return
        deadline = self._deadlines.get(client.stream.publisher_id)
        if deadline is not None:
            deadline.heard = self._timers.time()

    def _forget(self, publisher: Client) -> None:
        deadline = self._deadlines.pop(publisher.id, None)
        if deadline is not None:
            deadline.cancel()

    def _expired(self, publisher: Client, seconds: float) -> None:
        stream = publisher.stream
        # The publishers are among them.
        if self._clients.count(stream) > 1 + bool(stream.standby_id):
            self._deadlines[publisher.id].set(seconds)
            return
        log.info(
            "publisher of %s is disconnected: nobody has played it for %g s (kickoff_for_idle)",
            stream.name.url, seconds, extra=publisher.request.peer.marks,
        )  # fmt: skip
        publisher.drop(EndReason.IDLE)
