"""Events on their way to hooks: in order for each client, some at a time, and bounded."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from fastflv import limits

log = logging.getLogger(__name__)

Job: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"Sends one event; raises nothing."


class Outbox:
    """The events of one vhost. A hook that is slow delays the events of its vhost, and nothing else."""

    def __init__(self, loop: asyncio.AbstractEventLoop, vhost: str) -> None:
        self._loop = loop
        self._vhost = vhost
        self._waiting: dict[str, deque[Job]] = {}
        "By client: those that one is sent of have an entry, also when no other waits."
        self._ready: deque[str] = deque()
        "Clients with an event that may be sent."
        self._tasks: set[asyncio.Task[None]] = set()
        self._held = 0
        self._lost = 0
        self._closed = False

    def __len__(self) -> int:
        """Events that are not sent yet, those under way too."""
        return self._held

    def put(self, client_id: str, job: Job) -> None:
        """Send an event behind the others of its client. With HOOK_EVENTS_MAX waiting it is lost, which is logged."""
        if self._held >= limits.HOOK_EVENTS_MAX:
            if not self._lost:
                log.error(
                    "hooks of vhost %s: too many events wait to be sent; new ones are lost", self._vhost
                )
            self._lost += 1
            return
        self._held += 1
        waiting = self._waiting.get(client_id)
        if waiting is None:
            self._waiting[client_id] = deque((job,))
            self._ready.append(client_id)
            self._start()
        else:
            waiting.append(job)

    async def drain(self) -> None:
        """Wait until all events are sent."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def close(self) -> int:
        """Send no more; return how many events are lost."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        return self._held

    def _start(self) -> None:
        while self._ready and not self._closed and len(self._tasks) < limits.HOOK_EVENTS_AT_ONCE:
            client_id = self._ready.popleft()
            task = self._loop.create_task(self._waiting[client_id].popleft()())
            self._tasks.add(task)
            task.add_done_callback(lambda task, client_id=client_id: self._sent(task, client_id))  # type: ignore[misc]

    def _sent(self, task: asyncio.Task[None], client_id: str) -> None:
        self._tasks.discard(task)
        self._held -= 1
        if not task.cancelled() and task.exception() is not None:
            log.error("hooks of vhost %s: an event failed", self._vhost, exc_info=task.exception())
        if self._waiting[client_id]:
            self._ready.append(client_id)
        else:
            del self._waiting[client_id]
        if self._lost and self._held < limits.HOOK_EVENTS_MAX // 2:
            log.error("hooks of vhost %s: %d events were lost", self._vhost, self._lost)
            self._lost = 0
        self._start()
