"""All publishers and players of a server, for the API, for counters and for disconnecting them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol, cast

from fastflv.access.request import AccessRequest, Action
from fastflv.access.tally import Tally
from fastflv.net.peerlog import peer_logger
from fastflv.stream.arrival import Arrivals, ClientState
from fastflv.stream.endreason import TOO_LATE, EndReason
from fastflv.stream.history import History
from fastflv.stream.lag import NO_STEPS, UNBEGUN, Beginning, Steps
from fastflv.stream.stream import Stream, StreamOptions

log = peer_logger(__name__)


class Link(Protocol):
    """The connection behind a client."""

    @property
    def sent(self) -> int:
        """Bytes sent to the client so far."""

    @property
    def received(self) -> int:
        """Bytes received from the client so far."""

    def drop(self, reason: EndReason) -> None:
        """Disconnect the client."""


class PlayerLink(Link, Protocol):
    """The connection behind a player."""

    @property
    def steps(self) -> Steps: ...

    @property
    def beginning(self) -> Beginning: ...

    def adopt(self, options: StreamOptions) -> None:
        """Take the settings of a new configuration."""


class Client:
    """One publisher or player."""

    __slots__ = ("asked", "began", "joined", "link", "request", "stream")

    def __init__(
        self, request: AccessRequest, stream: Stream, link: Link, joined: float, asked: float | None = None
    ) -> None:
        """*asked*: when a player's request came; None: with *joined*."""
        self.request = request
        "The admitted request: identity, address, URL. Rules are asked about it again after a reload."
        self.stream = stream
        self.link = link
        self.joined = joined
        "Monotonic clock, seconds."
        self.asked = joined if asked is None else asked
        "Likewise."
        self.began = UNBEGUN
        "What of its beginning is counted."

    @property
    def id(self) -> str:
        """Eight letters and digits, unique in this process."""
        return self.request.client_id

    @property
    def sent(self) -> int:
        """Bytes sent to the client so far."""
        return self.link.sent

    @property
    def received(self) -> int:
        """Bytes received from the client so far."""
        return self.link.received

    def drop(self, reason: EndReason) -> None:
        """Disconnect the client. A failure is logged: others are to be disconnected too."""
        try:
            self.link.drop(reason)
        except Exception:
            log.exception(
                "client %s of %s could not be disconnected",
                self.id, self.stream.name.url, extra=self.request.peer.marks,
            )  # fmt: skip

    @property
    def publish(self) -> bool:
        return self.request.action is Action.PUBLISH

    @property
    def state(self) -> ClientState:
        if not self.publish:
            return ClientState.PLAYING
        return ClientState.STANDBY if self.stream.standby_id == self.id else ClientState.PUBLISHING

    @property
    def player(self) -> PlayerLink | None:
        """The link of a player; None for a publisher."""
        return None if self.publish else cast(PlayerLink, self.link)

    @property
    def steps(self) -> Steps:
        """Lag of a player, and what was done about it; zeros for a publisher."""
        player = self.player
        return player.steps if player is not None else NO_STEPS


class Clients:
    """All clients by id, in the order they came.

    Iteration, counts and `find` know players and publishers; `arrivals` are those who are neither yet.
    """

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._of: dict[str, dict[Client, None]] = {}
        "By id of their stream."
        self.joined: list[Callable[[Client], None]] = []
        "Called in this order with every player and publisher that is admitted and has its stream; with no arrival."
        self.left: list[Callable[[Client, EndReason], None]] = []
        "Likewise with each of them, once, when it is gone."
        self.history = History()
        self.tally = Tally()
        "What limits count: players, publishers and those who wait to be one."
        self.arrivals = Arrivals(self._clients, self.history, self.tally)
        self.total = 0
        "Clients since the start."
        self.players = 0
        self.sent_before: Counter[str] = Counter()
        "Bytes sent to clients that have left, by vhost."
        self.received_before = 0
        "Bytes received from clients that have left."
        self.steps_before = NO_STEPS
        "Sum of the lag steps of players that have left."
        self.ended: Counter[EndReason] = Counter(dict.fromkeys(EndReason, 0))
        "Clients that have left, by reason."

    def __len__(self) -> int:
        return len(self._clients)

    def __iter__(self) -> Iterator[Client]:
        return iter(self._clients.values())

    def add(self, client: Client, *, resumed: bool = False) -> None:
        """Enter a client. *resumed*: another process has entered it before, and logged it."""
        request, stream = client.request, client.stream
        id = request.client_id
        self.arrivals.become(id)
        self._clients[id] = client
        self.tally.enter(request)
        self._of.setdefault(stream.id, {})[client] = None
        self.total += 1
        self.players += request.action is not Action.PUBLISH
        if not resumed:
            _log_entry(client)
        for watcher in self.joined:
            try:
                watcher(client)
            except Exception:
                _log_failure(client)

    def remove(self, client: Client, reason: EndReason, now: float) -> None:
        """Forget a client, which ended for *reason* at *now* (monotonic clock, seconds); its bytes stay counted."""
        request, stream, link = client.request, client.stream, client.link
        id = request.client_id
        if self._clients.pop(id, None) is None:
            return
        self.tally.leave(id)
        publishes = request.action is Action.PUBLISH
        self.players -= not publishes
        sent, received = link.sent, link.received
        steps = NO_STEPS if publishes else cast(PlayerLink, link).steps
        stream.sent_before += sent
        self.sent_before[stream.name.vhost] += sent
        self.received_before += received
        self.ended[reason] += 1
        if steps is not NO_STEPS:
            steps = steps._replace(lag_ms=0)
            self.steps_before = self.steps_before.then(steps)
            stream.steps_before = stream.steps_before.then(steps)
        if reason in TOO_LATE:
            stream.evicted += 1
        self._leave_stream(client)
        seconds, text, extra = now - client.joined, reason.value, request.peer.marks
        if publishes:
            log.info(
                "publisher %s of %s left: %s; %d bytes in %.1f s, %d clock repairs",
                id, stream.url, text, received, seconds, stream.writer.repairs, extra=extra,
            )  # fmt: skip
        else:
            log.info(
                "player %s of %s left: %s; %d bytes in %.1f s, %s",
                id, stream.url, text, sent, seconds, steps, extra=extra,
            )  # fmt: skip
        self.history.keep_client(request, stream.url, text, seconds=seconds, sent=sent, received=received)
        for watcher in self.left:
            try:
                watcher(client, reason)
            except Exception:
                _log_failure(client)

    def part(self, client: Client) -> None:
        """Forget a client that another process goes on with: it has not left, and nobody is told."""
        if self._clients.pop(client.id, None) is not None:
            self.players -= not client.publish
            self.tally.leave(client.id)
            self._leave_stream(client)

    def find(self, id: str) -> Client | None:
        return self._clients.get(id)

    def count(self, stream: Stream) -> int:
        """Clients of a stream, its publisher included (as SRS counts)."""
        return len(self._of.get(stream.id, ()))

    def of(self, stream: Stream) -> Iterator[Client]:
        """The clients of a stream, in the order they came."""
        return iter(self._of.get(stream.id, ()))

    def _leave_stream(self, client: Client) -> None:
        id = client.stream.id
        present = self._of[id]
        del present[client]
        if not present:
            del self._of[id]


def _log_entry(client: Client) -> None:
    request, url, marks = client.request, client.stream.url, client.request.peer.marks
    if client.publish:
        does = "publishes" if client.state is ClientState.PUBLISHING else "stands by for"
        log.info("publisher %s from %s %s %s", client.id, request.peer.ip, does, url, extra=marks)
    else:
        scheme = request.scheme
        log.info("player %s from %s joins %s by %s", client.id, request.peer.ip, url, scheme, extra=marks)


def _log_failure(client: Client) -> None:
    """Log the exception of a watcher: the others are told too, and the client stays as it is."""
    log.exception("client %s: one that was told of it failed", client.id, extra=client.request.peer.marks)
