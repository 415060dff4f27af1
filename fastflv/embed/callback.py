"""Callbacks of the program that decide about publishers and players: rules of the gate, with a time-out and a bound."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from fastflv.access.gate import FAILED
from fastflv.access.request import AccessRequest, Action
from fastflv.access.rule import Answer, LateRule, Waiting
from fastflv.access.verdict import ALLOW, Verdict, forbid

log = logging.getLogger(__name__)

Decide: TypeAlias = Callable[[AccessRequest], Awaitable[Verdict]]
"Decides about one request: `ALLOW`, `forbid(reason)`, `unauthorized(reason)` or `Redirected(url)`."


def name_of(callback: object) -> str:
    """Return what a callback is called in log lines."""
    module, name = getattr(callback, "__module__", ""), getattr(callback, "__qualname__", "")
    return f"{module}.{name}" if name else repr(callback)


class CallbackRule(LateRule):
    """Asks one callback about the requests of one action. One that raises, or takes too long, refuses.

    A callback that was given up is cancelled. It counts as under way until it has ended, so callbacks that ignore this
    use up *most*, and whoever comes then is refused.
    """

    __slots__ = ("_action", "_callback", "_loop", "_most", "_seconds", "_tasks")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        action: Action,
        callback: Decide,
        *,
        seconds: float,
        most: int,
    ) -> None:
        """*seconds*: what it has for one answer. *most*: how many are under way at once."""
        self._loop = loop
        self._action = action
        self._callback = callback
        self._seconds = seconds
        self._most = most
        self._tasks: set[asyncio.Task[Verdict]] = set()

    def __repr__(self) -> str:
        return f"on_{self._action.value} {name_of(self._callback)}"

    def ask(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        if request.action is not self._action:
            return ALLOW
        if len(self._tasks) >= self._most:
            log.error("%r: %d requests wait for it already; one more is refused", self, self._most)
            return forbid("too many requests wait for an answer")
        question = _Question(self, request, answer)
        question.begin()
        return question

    def close(self) -> None:
        """Cancel the callbacks that are under way."""
        for task in self._tasks:
            task.cancel()


class _Question:
    """One request that a callback is asked about."""

    __slots__ = ("_answer", "_request", "_rule", "_task", "_timer")

    def __init__(self, rule: CallbackRule, request: AccessRequest, answer: Answer) -> None:
        self._rule = rule
        self._request = request
        self._answer: Answer | None = answer
        self._task: asyncio.Task[Verdict] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        rule = self._rule
        self._task = rule._loop.create_task(self._decide(), name=repr(rule))
        rule._tasks.add(self._task)
        self._task.add_done_callback(self._decided)
        self._timer = rule._loop.call_later(rule._seconds, self._expired)

    def cancel(self) -> None:
        """The client is gone."""
        self._answer = None
        self._give_up()

    async def _decide(self) -> Verdict:
        return await self._rule._callback(self._request)

    def _decided(self, task: asyncio.Task[Verdict]) -> None:
        self._rule._tasks.discard(task)
        if task.cancelled():
            self._tell(forbid("the server stops"))
            return
        error = task.exception()
        if error is None:
            self._tell(task.result())
            return
        log.error("%r failed", self._rule, exc_info=error)
        self._tell(FAILED)

    def _expired(self) -> None:
        log.error("%r has not answered within %g s; the client is refused", self._rule, self._rule._seconds)
        self._tell(FAILED)
        self._give_up()

    def _give_up(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _tell(self, verdict: Verdict) -> None:
        if self._timer is not None:
            self._timer.cancel()
        answer, self._answer = self._answer, None
        if answer is not None:
            answer(verdict)
