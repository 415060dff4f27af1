"""Callbacks that are told of what has happened: each takes its events in order, and delays nobody else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from fastflv.access.request import Action
from fastflv.embed.callback import name_of
from fastflv.embed.event import ClientEvent, ClientStep, Event, Events
from fastflv.record.event import RecordEvent, RecordStep

log = logging.getLogger(__name__)

ToldClient: TypeAlias = Callable[[ClientEvent], Awaitable[None]]
"Is told of a publisher or player."

ToldRecord: TypeAlias = Callable[[RecordEvent], Awaitable[None]]
"Is told of a recording."

Turn: TypeAlias = Callable[[Event], Awaitable[None] | None]
"Calls a callback for the events that it wants; None for the others."


def of_clients(callback: ToldClient, action: Action) -> Turn:
    """Have *callback* called for each client of *action* that has left."""

    def turn(event: Event) -> Awaitable[None] | None:
        if not isinstance(event, ClientEvent) or event.step is not ClientStep.LEFT:
            return None
        return callback(event) if event.request.action is action else None

    return turn


def of_files(callback: ToldRecord) -> Turn:
    """Have *callback* called for each recorded file that is finished."""

    def turn(event: Event) -> Awaitable[None] | None:
        if not isinstance(event, RecordEvent) or event.step is not RecordStep.FINISHED:
            return None
        return callback(event)

    return turn


async def tell(events: Events, turn: Turn, callback: object, seconds: float) -> None:
    """Call *callback* for each of *events* that it wants, one after the other, until they end.

    One that raises, or takes longer than *seconds*, is logged, and the next event follows. Events that come faster
    than it takes them are dropped as in `Events`.
    """
    lost = 0
    async for event in events:
        if events.lost != lost:
            lost = events.lost
            log.error("%s is too slow: %d events were dropped so far", name_of(callback), lost)
        try:
            called = turn(event)
            if called is not None:
                async with asyncio.timeout(seconds):
                    await called
        except TimeoutError:
            log.error("%s has not returned within %g s; it is cancelled", name_of(callback), seconds)
        except Exception:
            log.exception("%s failed", name_of(callback))
