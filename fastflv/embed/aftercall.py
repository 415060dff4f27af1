"""Callbacks that are told of what has happened: each takes its events in order, and delays nobody else.

Events come in the thread of the server; callbacks run in the loop of the program.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

from fastflv.access.request import Action
from fastflv.access.visits import Connection
from fastflv.embed.call import Caller, name_of
from fastflv.embed.event import ClientEvent, ClientStep, ConnectionEvent
from fastflv.embed.eventqueue import EventQueue
from fastflv.embed.mailbox import Mailbox
from fastflv.errors import ServerFailedError
from fastflv.record.event import RecordEvent, RecordStep
from fastflv.servers.hls.event import SegmentEvent
from fastflv.stream.departures import Departure
from fastflv.stream.name import StreamName

log = logging.getLogger(__name__)

ToldClient: TypeAlias = Callable[[ClientEvent], Awaitable[None] | None]
"Is told of a publisher or player."

ToldConnection: TypeAlias = Callable[[ConnectionEvent], Awaitable[None] | None]
"Is told of an RTMP connection."

ToldRecord: TypeAlias = Callable[[RecordEvent], Awaitable[None] | None]
"Is told of a recording."

ToldSegment: TypeAlias = Callable[[SegmentEvent], Awaitable[None] | None]
"Is told of a segment of HLS."

ToldEvent: TypeAlias = ClientEvent | ConnectionEvent | RecordEvent | SegmentEvent
Told: TypeAlias = ToldClient | ToldConnection | ToldRecord | ToldSegment


class AfterCalls:
    """Watches departures, recordings and segments, and tells callbacks. Nobody waits for them.

    EVENTS_WAITING events wait for each callback; then the oldest are dropped.
    """

    def __init__(self, caller: Caller, seconds: float) -> None:
        """*seconds*: the time that each call has."""
        self._caller = caller
        self._seconds = seconds
        self._queues: defaultdict[str, list[EventQueue[ToldEvent]]] = defaultdict(list)
        "By hook."
        self._waiting: list[tuple[str, Told]] = []
        "Callbacks that are called once the server runs."
        self._tasks: set[asyncio.Task[None]] = set()
        self._program: Mailbox | None = None
        "Once the server runs."

    def add(self, hook: str, told: Told) -> None:
        """Tell *told* from the next event on. In the loop of the program, as the two below."""
        self._waiting.append((hook, told))
        if self._program is not None:
            self.begin(self._program)

    def begin(self, program: Mailbox) -> None:
        """The server starts; *program*: to the running loop."""
        self._program = program
        for hook, told in self._waiting:
            name = f"{hook} {name_of(told)}"
            queue = EventQueue[ToldEvent](program)
            task = asyncio.get_running_loop().create_task(self._tell(queue, name, told), name=name)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            self._queues[hook].append(queue)
        self._waiting.clear()

    async def stop(self) -> None:
        """Tell what waits, each callback for the time of one call at most."""
        for queues in tuple(self._queues.values()):
            for queue in queues:
                queue.close()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._seconds)
            for task in late:
                task.cancel()

    # --- DepartureWatcher ---

    def client_departed(self, departure: Departure) -> None:
        request = departure.request
        event = ClientEvent(
            ClientStep.LEFT,
            StreamName(request.vhost, request.app, request.stream),
            request,
            departure.reason,
            departure.sent,
            departure.received,
        )
        self._put("on_unpublish" if request.action is Action.PUBLISH else "on_stop", event)

    def connection_departed(self, connection: Connection) -> None:
        self._put("on_close", ConnectionEvent(connection.request, connection.sent, connection.received))

    # --- watchers of recordings and segments ---

    def recorded(self, event: RecordEvent) -> None:
        if event.step is RecordStep.FINISHED:
            self._put("on_dvr", event)

    def segment_stored(self, event: SegmentEvent) -> None:
        self._put("on_hls", event)
        self._put("on_hls_notify", event)

    # --- calls ---

    def _put(self, hook: str, event: ToldEvent) -> None:
        for queue in self._queues.get(hook, ()):
            queue.put(event)

    async def _tell(self, queue: EventQueue[ToldEvent], name: str, told: Told) -> None:
        # What waits is told of a server that has failed too.
        with suppress(ServerFailedError):
            await self._tell_each(queue, name, told)

    async def _tell_each(self, queue: EventQueue[ToldEvent], name: str, told: Told) -> None:
        lost = 0
        async for event in queue:
            if queue.lost != lost:
                lost = queue.lost
                log.error("%s is too slow: %d events were dropped so far", name, lost)
            call = asyncio.ensure_future(self._caller.call(name, told, event))
            try:
                done, _ = await asyncio.wait([call], timeout=self._seconds)
                if not done:
                    log.error("%s has not returned within %g s; it is cancelled", name, self._seconds)
                    call.cancel()
                    # The next event follows when the call has ended: a thread cannot be ended.
                    await asyncio.wait([call])
                if not call.cancelled() and (error := call.exception()) is not None:
                    log.error("%s failed", name, exc_info=error)
            finally:
                call.cancel()
