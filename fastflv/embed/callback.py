"""Callbacks that decide about clients: one rule of the gate asks them, as another one asks the hooks.

The rule belongs to the thread of the server and waits for nothing; the callbacks run in the loop of the program.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeAlias

from fastflv.access.gate import FAILED
from fastflv.access.hooks import RTMP
from fastflv.access.request import AccessRequest, Action
from fastflv.access.rule import UNASKED, Answer, LateRule, Waiting
from fastflv.access.verdict import ALLOW, Allowed, Redirected, Refused, Verdict, forbid
from fastflv.access.visits import Visits
from fastflv.embed.call import Caller, name_of

log = logging.getLogger(__name__)

Decide: TypeAlias = Callable[[AccessRequest], Awaitable[Verdict] | Verdict]
"Decides about one request: `ALLOW`, `forbid(reason)`, `unauthorized(reason)` or `Redirected(url)`."

Post: TypeAlias = Callable[..., object]
"Has a function called in another thread; False where that has ended."

DECIDING: Final = {
    Action.PUBLISH: "on_publish",
    Action.PLAY: "on_play",
    Action.RECORD: "on_record",
}
"The hook that decides about each action."


class _Callback:
    """One callback that decides."""

    __slots__ = ("calls", "decide", "name")

    def __init__(self, hook: str, decide: Decide) -> None:
        self.decide = decide
        self.name = f"{hook} {name_of(decide)}"
        self.calls: set[_Call] = set()
        "Those that have not ended."


class CallbackRule(LateRule):
    """Asks the callbacks of a program one after the other; the first that does not allow decides.

    The first command of an RTMP connection is asked about with on_connect, then with on_publish or on_play. One that
    raises, or takes too long, refuses. A call that was given up is cancelled, and counts until it has ended: callbacks
    that ignore this use up *most*, and whoever comes then is refused.
    """

    __slots__ = ("_callbacks", "_most", "_seconds", "_visits", "caller", "in_program", "in_server")

    def __init__(self, caller: Caller, visits: Visits, *, seconds: float, most: int) -> None:
        """*visits*: whom it has admitted. *seconds*: what each call has. *most*: calls of one callback at once."""
        self.caller = caller
        self._visits = visits
        self._seconds = seconds
        self._most = most
        self._callbacks: defaultdict[str, list[_Callback]] = defaultdict(list)
        "By hook, in the order they are asked."

    def begin(self, in_program: Post, in_server: Post) -> None:
        """The server runs; *in_program*, *in_server*: to its thread and that of the program."""
        self.in_program = in_program
        self.in_server = in_server

    def __repr__(self) -> str:
        return "the callbacks of the program"

    def add(self, hook: str, decide: Decide) -> None:
        """Ask *decide* from the next request on; *hook*: on_connect, or one of DECIDING."""
        self._callbacks[hook].append(_Callback(hook, decide))

    def ask(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        asking = _Asking(self, request, self._asked(request), answer)
        return asking.advance() or asking

    def preview(self, request: AccessRequest) -> Verdict:
        """Allowed where no callback would be asked."""
        callbacks = self._callbacks
        asked = callbacks[DECIDING[request.action]] or (request.scheme in RTMP and callbacks["on_connect"])
        return UNASKED if asked else ALLOW

    def close(self) -> None:
        """Cancel the calls that are under way."""
        for callbacks in self._callbacks.values():
            for callback in callbacks:
                for call in list(callback.calls):
                    call.cancel()

    def _asked(self, request: AccessRequest) -> Iterator[_Callback]:
        """Yield whom to ask; a callback that refuses is the last that is taken."""
        visits = self._visits
        if request.scheme in RTMP and not visits.is_connected(request.peer.id):
            yield from tuple(self._callbacks["on_connect"])
            visits.connect(request)
        yield from tuple(self._callbacks[DECIDING[request.action]])
        if request.action is not Action.RECORD:
            visits.admit(request)


class _Call:
    """One call of a callback, asked for in the thread of the server and made in the loop of the program."""

    __slots__ = ("_asking", "_callback", "_request", "_rule", "_task")

    def __init__(
        self, rule: CallbackRule, asking: _Asking, callback: _Callback, request: AccessRequest
    ) -> None:
        self._rule = rule
        self._asking = asking
        self._callback = callback
        self._request = request
        self._task: asyncio.Task[object] | None = None
        "Of the program."

    def begin(self) -> bool:
        """Return whether the program can make it."""
        self._callback.calls.add(self)
        if self._rule.in_program(self._make):
            return True
        self._callback.calls.discard(self)
        return False

    def cancel(self) -> None:
        """End it as soon as its coroutine does; it counts until then."""
        self._rule.in_program(self._cancel)

    def _make(self) -> None:
        name = self._callback.name
        call = self._rule.caller.call(name, self._callback.decide, self._request)
        self._task = asyncio.get_running_loop().create_task(call, name=name)
        self._task.add_done_callback(self._made)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _made(self, task: asyncio.Task[object]) -> None:
        # A call that was given up has an exception of no interest, which must be taken.
        _ = task.cancelled() or task.exception()
        self._rule.in_server(self._ended, task)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._callback.calls.discard(self)
        self._asking.called(self, self._callback, task)


class _Asking:
    """One request on its way through the callbacks."""

    __slots__ = ("_answer", "_asked", "_call", "_request", "_rule", "_timer")

    def __init__(
        self, rule: CallbackRule, request: AccessRequest, asked: Iterator[_Callback], answer: Answer
    ) -> None:
        self._rule = rule
        self._request = request
        self._asked = asked
        self._answer = answer
        self._call: _Call | None = None
        "The one that is waited for."
        self._timer: asyncio.TimerHandle | None = None

    def advance(self) -> Verdict | None:
        """Call the next callback; return the verdict where none is left, or where it cannot be called."""
        callback = next(self._asked, None)
        if callback is None:
            return ALLOW
        rule = self._rule
        if len(callback.calls) >= rule._most:
            log.error("%s: %d requests wait for it already; one more is refused", callback.name, rule._most)
            return forbid("too many requests wait for an answer")
        self._call = _Call(rule, self, callback, self._request)
        if not self._call.begin():
            log.error("%s cannot be called: the event loop of the program is closed", callback.name)
            return FAILED
        # In the loop of the server: it is due whatever holds the program.
        self._timer = asyncio.get_running_loop().call_later(rule._seconds, self._expired, callback)
        return None

    def cancel(self) -> None:
        """The client is gone."""
        if self._timer is not None:
            self._timer.cancel()
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def called(self, call: _Call, callback: _Callback, task: asyncio.Task[object]) -> None:
        if call is not self._call:
            # It was given up.
            return
        assert self._timer is not None
        self._timer.cancel()
        self._call = None
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
