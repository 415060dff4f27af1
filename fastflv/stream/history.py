"""Clients that have gone, newest last: a bounded number of them, with the reason."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from fastflv import limits
from fastflv.access.request import AccessRequest, Action

if TYPE_CHECKING:
    from fastflv.stream.arrival import Arrival


class EndedClient(NamedTuple):
    """A player, publisher or arrival that is gone."""

    id: str
    ip: str
    vhost: str
    "Empty where it asked for none."
    url: str
    "Of the stream; empty where it asked for none."
    name: str
    "As the API shows it while the client is there."
    output: str
    "Kind of client; empty where it asked for nothing."
    tc_url: str
    "As the client sent it: with its secrets."
    page_url: str
    "Likewise."
    publish: bool
    admitted: bool
    "It has played or published."
    reason: str
    "Why it went, one clause."
    seconds: float
    "How long it was there."
    ended: float
    "Wall clock, seconds since 1970."
    sent: int = 0
    received: int = 0
    own: bool = False
    "As `AccessRequest.own`."

    @property
    def size(self) -> int:
        """Bytes that it costs, near enough; vhost and output are shared."""
        return (
            limits.ENDED_CLIENT_BYTES
            + len(self.url)
            + len(self.name)
            + len(self.tc_url)
            + len(self.page_url)
            + len(self.reason)
        )


class History:
    """What `ENDED_CLIENTS_MAX` and `ENDED_CLIENTS_BYTES_MAX` have room for; the oldest go first."""

    def __init__(self) -> None:
        self._ended: deque[EndedClient] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._ended)

    def __iter__(self) -> Iterator[EndedClient]:
        """Newest first."""
        return reversed(self._ended)

    def keep_client(
        self, request: AccessRequest, url: str, reason: str, *, seconds: float, sent: int, received: int
    ) -> None:
        """Keep a player or publisher of the stream at *url*; *seconds*: since it joined."""
        self._keep(
            EndedClient(
                request.client_id,
                request.peer.ip,
                request.vhost,
                url,
                request.file or request.stream,
                request.output,
                request.tc_url,
                request.page_url,
                request.action is Action.PUBLISH,
                True,
                reason,
                seconds,
                time.time(),
                sent,
                received,
                request.own,
            )
        )

    def keep_arrival(self, arrival: Arrival, reason: str, *, seconds: float) -> None:
        """Keep who has become neither; *seconds*: since it came."""
        request = arrival.request
        self._keep(
            EndedClient(
                arrival.id,
                arrival.peer.ip,
                *(_asked(request) if request is not None else ("", "", "", "")),
                arrival.tc_url,
                arrival.page_url,
                request is not None and request.action is Action.PUBLISH,
                False,
                reason,
                seconds,
                time.time(),
                own=request is not None and request.own,
            )
        )

    def _keep(self, ended: EndedClient) -> None:
        kept = self._ended
        kept.append(ended)
        self._bytes += ended.size
        while self._bytes > limits.ENDED_CLIENTS_BYTES_MAX or len(kept) > limits.ENDED_CLIENTS_MAX:
            self._bytes -= kept.popleft().size


def _asked(request: AccessRequest) -> tuple[str, str, str, str]:
    """Vhost, URL, name and output."""
    return request.vhost, request.url, request.file or request.stream, request.output
