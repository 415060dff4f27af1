"""Callbacks that decide about clients: one rule of the gate asks them, as another one asks the hooks."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Final, TypeAlias

from fastflv.access.gate import FAILED
from fastflv.access.hooks import RTMP
from fastflv.access.request import AccessRequest, Action
from fastflv.access.rule import Answer, LateRule, Waiting
from fastflv.access.verdict import ALLOW, Allowed, Redirected, Refused, Verdict, forbid
from fastflv.access.visits import Visits
from fastflv.embed.call import Caller, name_of

log = logging.getLogger(__name__)

Decide: TypeAlias = Callable[[AccessRequest], Awaitable[Verdict] | Verdict]
"Decides about one request: `ALLOW`, `forbid(reason)`, `unauthorized(reason)` or `Redirected(url)`."

DECIDING: Final = {
    Action.PUBLISH: "on_publish",
    Action.PLAY: "on_play",
    Action.RECORD: "on_record",
}
"The hook that decides about each action."


class _Callback:
    """One callback that decides."""

    __slots__ = ("decide", "name", "tasks")

    def __init__(self, hook: str, decide: Decide) -> None:
        self.decide = decide
        self.name = f"{hook} {name_of(decide)}"
        self.tasks: set[asyncio.Task[object]] = set()
        "Calls that have not ended."


class CallbackRule(LateRule):
    """Asks the callbacks of a program one after the other; the first that does not allow decides.

    The first command of an RTMP connection is asked about with on_connect, then with on_publish or on_play. One that
    raises, or takes too long, refuses. A call that was given up is cancelled, and counts until it has ended: callbacks
    that ignore this use up *most*, and whoever comes then is refused.
    """

    __slots__ = ("_callbacks", "_caller", "_most", "_seconds", "_visits")

    def __init__(self, caller: Caller, visits: Visits, *, seconds: float, most: int) -> None:
        """*visits*: whom it has admitted. *seconds*: what each call has. *most*: calls of one callback at once."""
        self._caller = caller
        self._visits = visits
        self._seconds = seconds
        self._most = most
        self._callbacks: defaultdict[str, list[_Callback]] = defaultdict(list)
        "By hook, in the order they are asked."

    def __repr__(self) -> str:
        return "the callbacks of the program"

    def add(self, hook: str, decide: Decide) -> None:
        """Ask *decide* from the next request on; *hook*: on_connect, or one of DECIDING."""
        self._callbacks[hook].append(_Callback(hook, decide))

    def ask(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        asking = _Asking(self, request, self._asked(request), answer)
        return asking.advance() or asking

    def close(self) -> None:
        """Cancel the calls that are under way."""
        for callbacks in self._callbacks.values():
            for callback in callbacks:
                for task in list(callback.tasks):
                    task.cancel()

    def _asked(self, request: AccessRequest) -> Iterator[_Callback]:
        """Yield whom to ask; a callback that refuses is the last that is taken."""
        visits = self._visits
        if request.scheme in RTMP and not visits.is_connected(request.peer.id):
            yield from tuple(self._callbacks["on_connect"])
            visits.connect(request)
        yield from tuple(self._callbacks[DECIDING[request.action]])
        if request.action is not Action.RECORD:
            visits.admit(request)


class _Asking:
    """One request on its way through the callbacks."""

    __slots__ = ("_answer", "_asked", "_request", "_rule", "_task", "_timer")

    def __init__(
        self, rule: CallbackRule, request: AccessRequest, asked: Iterator[_Callback], answer: Answer
    ) -> None:
        self._rule = rule
        self._request = request
        self._asked = asked
        self._answer = answer
        self._task: asyncio.Task[object] | None = None
        "The call that is waited for."
        self._timer: asyncio.TimerHandle | None = None

    def advance(self) -> Verdict | None:
        """Call the next callback; return the verdict where none is left, or where it cannot be called."""
        callback = next(self._asked, None)
        if callback is None:
            return ALLOW
        rule = self._rule
        if len(callback.tasks) >= rule._most:
            log.error("%s: %d requests wait for it already; one more is refused", callback.name, rule._most)
            return forbid("too many requests wait for an answer")
        loop = asyncio.get_running_loop()
        call = rule._caller.call(callback.name, callback.decide, self._request)
        self._task = loop.create_task(call, name=callback.name)
        callback.tasks.add(self._task)
        self._task.add_done_callback(partial(self._called, callback))
        self._timer = loop.call_later(rule._seconds, self._expired, callback)
        return None

    def cancel(self) -> None:
        """The client is gone."""
        if self._timer is not None:
            self._timer.cancel()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    def _called(self, callback: _Callback, task: asyncio.Task[object]) -> None:
        callback.tasks.discard(task)
        if task is not self._task:
            # It was given up. Its exception is of no interest, but must be taken.
            _ = task.cancelled() or task.exception()
            return
        assert self._timer is not None
        self._timer.cancel()
        verdict = _verdict_of(callback, task)
        final = self.advance() if isinstance(verdict, Allowed) else verdict
        if final is not None:
            self._answer(final)

    def _expired(self, callback: _Callback) -> None:
        log.error(
            "%s has not answered within %g s; the client is refused", callback.name, self._rule._seconds
        )
        self.cancel()
        self._answer(FAILED)


def _verdict_of(callback: _Callback, task: asyncio.Task[object]) -> Verdict:
    if task.cancelled():
        return forbid("the server stops")
    error = task.exception()
    if error is not None:
        log.error("%s failed", callback.name, exc_info=error)
        return FAILED
    verdict = task.result()
    if isinstance(verdict, Allowed | Refused | Redirected):
        return verdict
    log.error("%s returned %r, which is no verdict", callback.name, verdict)
    return FAILED
