"""Values that cost by the number of clients, or reads of /proc: taking them anew is a bounded share of the time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter, thread_time
from typing import Generic, TypeVar

from fastflv import limits
from fastflv.stream.clients import Clients
from fastflv.stream.hub import Hub

Value = TypeVar("Value")


class Sample(Generic[Value]):
    """The value that *take* returned last, shown again for SAMPLE_TIMES of the time that it took beyond SAMPLE_FREE_SECONDS."""

    def __init__(self, take: Callable[[], Value]) -> None:
        self._take = take
        self._taken: tuple[float, Value] | None = None
        "Until when it is shown, `perf_counter` seconds, and the value."

    def __call__(self) -> Value:
        if self._taken is None or perf_counter() >= self._taken[0]:
            began = thread_time()
            value = self._take()
            cost = max(thread_time() - began - limits.SAMPLE_FREE_SECONDS, 0.0)
            self._taken = perf_counter() + limits.SAMPLE_TIMES * cost, value
        return self._taken[1]


@dataclass(slots=True)
class Traffic:
    """Bytes since the start. Streams that ended and clients that left count too: a sum that fell would make rates below 0."""

    received: int = 0
    sent: int = 0
    vhost_received: Counter[str] = field(default_factory=Counter)
    vhost_sent: Counter[str] = field(default_factory=Counter)
    stream_sent: Counter[str] = field(default_factory=Counter)
    "By id of the streams that there are."

    vhost_streams: Counter[str] = field(default_factory=Counter)
    vhost_clients: Counter[str] = field(default_factory=Counter)


def take_traffic(hub: Hub, clients: Clients) -> Traffic:
    """Add up what each client and each stream says, once."""
    traffic = Traffic(
        received=clients.received_before,
        vhost_received=Counter(hub.received_before),
        vhost_sent=Counter(clients.sent_before),
    )
    for stream in hub:
        vhost = stream.name.vhost
        traffic.vhost_received[vhost] += stream.writer.bytes
        traffic.vhost_streams[vhost] += 1
        traffic.vhost_clients[vhost] += clients.count(stream)
        traffic.stream_sent[stream.id] = stream.sent_before
    for client in clients:
        sent = client.sent
        traffic.received += client.received
        traffic.vhost_sent[client.stream.name.vhost] += sent
        traffic.stream_sent[client.stream.id] += sent
    traffic.sent = traffic.vhost_sent.total()
    return traffic
