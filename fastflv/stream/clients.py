"""Everybody who is connected to a stream, publishers and players, for the API and for kicking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

from fastflv.stream.endreason import TOO_LATE, EndReason
from fastflv.stream.lag import Steps
from fastflv.stream.stream import Stream


class Link(Protocol):
    """The connection behind a client, as far as it counts."""

    @property
    def sent(self) -> int: ...

    @property
    def received(self) -> int: ...


class Client:
    """One publisher or player."""

    __slots__ = (
        "drop",
        "id",
        "ip",
        "joined",
        "kind",
        "link",
        "name",
        "page_url",
        "publish",
        "stream",
        "tc_url",
    )

    def __init__(
        self,
        *,
        id: str,
        stream: Stream,
        kind: str,
        ip: str,
        tc_url: str,
        name: str,
        page_url: str = "",
        joined: float,
        drop: Callable[[Client], None],
        publish: bool = False,
    ) -> None:
        self.id = id
        "Eight letters and digits, unique in this process."
        self.stream = stream
        self.kind = kind
        "As SRS names it: `flv-play`, `fmle-publish` ..."
        self.ip = ip
        self.tc_url = tc_url
        self.name = name
        "Last part of the URL."
        self.page_url = page_url
        self.joined = joined
        "Monotonic clock, seconds."
        self.publish = publish
        self.drop = drop
        "Closes its connection; one function for all clients of a kind."
        self.link: Link | None = None

    @property
    def sent(self) -> int:
        """Bytes sent to it so far."""
        return self.link.sent if self.link is not None else 0

    @property
    def received(self) -> int:
        """Bytes received from it so far."""
        return self.link.received if self.link is not None else 0

    @property
    def steps(self) -> Steps:
        """How late it is, and what it was spared; nothing for a publisher."""
        steps: Steps = getattr(self.link, "steps", Steps())
        return steps


class Clients:
    """All clients by id, in the order they came."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._players: dict[str, int] = {}
        self.total = 0
        "Clients since the start."
        self.sent_before: Counter[str] = Counter()
        "Bytes sent to clients that have left, by vhost."
        self.received_before = 0
        "Bytes received from clients that have left."
        self.steps_before = Steps()
        "What players that have left were spared."
        self.let_go = Counter(dict.fromkeys(TOO_LATE, 0))
        "Players that were let go because they did not keep up, by why."

    def __len__(self) -> int:
        return len(self._clients)

    def __iter__(self) -> Iterator[Client]:
        return iter(self._clients.values())

    def add(self, client: Client) -> None:
        self._clients[client.id] = client
        self._players[client.stream.id] = self._players.get(client.stream.id, 0) + 1
        self.total += 1

    def remove(self, client: Client, why: EndReason | None = None) -> None:
        """Forget a client; what it was sent stays counted in its stream, and what a player left for (*why*) here."""
        if self._clients.pop(client.id, None) is None:
            return
        client.stream.sent_before += client.sent
        self.sent_before[client.stream.name.vhost] += client.sent
        self.received_before += client.received
        self.steps_before = self.steps_before.then(client.steps)._replace(lag_ms=0)
        if why in TOO_LATE:
            self.let_go[why] += 1
        left = self._players[client.stream.id] - 1
        if left:
            self._players[client.stream.id] = left
        else:
            del self._players[client.stream.id]

    def find(self, id: str) -> Client | None:
        return self._clients.get(id)

    def count(self, stream: Stream) -> int:
        """Clients of a stream, its publisher included (as SRS counts)."""
        return self._players.get(stream.id, 0)
