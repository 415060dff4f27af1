"""Events: what happens in a server, for programs that have it in their event loop."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias
from weakref import ref

from fastflv.access.request import AccessRequest
from fastflv.embed.eventqueue import EventQueue
from fastflv.embed.mailbox import Mailbox
from fastflv.record.event import RecordEvent
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream


class StreamStep(Enum):
    """What happened to a stream."""

    BEGAN = "began"
    "A publisher begins, for the first time or within the grace period."
    LEFT = "left"
    "The publisher left; another may come within the grace period."
    ENDED = "ended"
    "No publisher returned."


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event of one stream."""

    step: StreamStep
    name: StreamName
    stream_id: str
    "As the HTTP API has it."
    publisher_id: str
    "Client that publishes; empty for ENDED."


class ClientStep(Enum):
    """What happened to a publisher or player."""

    JOINED = "joined"
    "It was admitted, and its stream is there."
    LEFT = "left"
    "It is gone."


@dataclass(frozen=True, slots=True)
class ClientEvent:
    """One event of one publisher or player."""

    step: ClientStep
    name: StreamName
    request: AccessRequest
    "Identity, action, address, URL and query."
    reason: str = ""
    "LEFT: why, as log lines have it."
    sent: int = 0
    "LEFT: bytes sent to it."
    received: int = 0
    "LEFT: bytes received from it."


@dataclass(frozen=True, slots=True)
class ConnectionEvent:
    """An RTMP connection that was admitted is closed, and its publishers and players have left."""

    request: AccessRequest
    "The first publish or play on it."
    sent: int
    "Bytes sent to it."
    received: int
    "Bytes received from it."


Event: TypeAlias = StreamEvent | ClientEvent | RecordEvent


class Events(EventQueue[Event]):
    """Events from now on: `async for event in server.events()`. One task reads; it ends when the server stops.

    EVENTS_WAITING events wait; then the oldest are dropped, and `lost` counts them.
    """


class EventFeed:
    """Gives each event to all who read events. A watcher of the hub, of clients and of recordings, in their thread."""

    def __init__(self) -> None:
        self._readers: list[ref[Events]] = []
        "Weak: whoever drops its events reads no more."
        self._closed = False

    def open(self, program: Mailbox) -> Events:
        """Return the events from now on; *program*: of the loop that reads them."""
        events = Events(program)
        if self._closed:
            events.close()
        self._readers = [*map(ref, self._reading()), ref(events)]
        return events

    def close(self) -> None:
        """The server has stopped: nothing else happens."""
        self._closed = True
        for events in self._reading():
            events.close()

    def put(self, event: Event) -> None:
        """Give *event* to all who read events now."""
        for events in self._reading():
            events.put(event)

    def _reading(self) -> list[Events]:
        reading = [(known, known()) for known in self._readers]
        self._readers = [known for known, events in reading if events is not None]
        return [events for _, events in reading if events is not None]

    # --- Watcher ---

    def stream_began(self, stream: Stream) -> None:
        self._put_stream(StreamStep.BEGAN, stream)

    def stream_left(self, stream: Stream) -> None:
        self._put_stream(StreamStep.LEFT, stream)

    def stream_ended(self, stream: Stream) -> None:
        self._put_stream(StreamStep.ENDED, stream)

    def client_joined(self, client: Client) -> None:
        self.put(ClientEvent(ClientStep.JOINED, client.stream.name, client.request))

    def client_left(self, client: Client, reason: EndReason) -> None:
        self.put(
            ClientEvent(
                ClientStep.LEFT,
                client.stream.name,
                client.request,
                reason.value,
                client.sent,
                client.received,
            )
        )

    def _put_stream(self, step: StreamStep, stream: Stream) -> None:
        self.put(StreamEvent(step, stream.name, stream.id, stream.publisher_id))
