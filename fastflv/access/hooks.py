"""`http_hooks { }`: servers that are asked who may connect, publish and play."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple, Protocol

from fastflv import limits
from fastflv.access.hookbody import Bodies, refusal_of
from fastflv.access.hookfaults import HookFaults
from fastflv.access.request import AccessRequest, Action
from fastflv.access.rule import UNASKED, Answer, LateRule, Waiting
from fastflv.access.verdict import ALLOW, Refusal, Refused, Verdict, forbid
from fastflv.access.visits import Visits
from fastflv.config.model.hooks import Hooks
from fastflv.net.httpclient import HttpReply

RTMP: Final = ("rtmp", "rtmps")
"Schemes whose connections are told by on_connect and on_close, as in SRS."


class Post(Protocol):
    """How a hook is asked."""

    def __call__(self, url: str, body: bytes, done: Callable[[HttpReply], None]) -> Waiting | None:
        """Send *body*; *done* follows, later and once. None: too many requests wait for that server."""


class HookRule(LateRule):
    """Asks the URLs of one vhost one after the other; the first that does not allow decides.

    The first command of an RTMP connection is asked about with on_connect, then with on_publish or on_play, as in SRS.
    """

    __slots__ = ("_bodies", "_faults", "_hooks", "_post", "_visits")

    def __init__(self, hooks: Hooks, bodies: Bodies, post: Post, visits: Visits, faults: HookFaults) -> None:
        self._hooks = hooks
        self._bodies = bodies
        self._post = post
        self._visits = visits
        self._faults = faults

    def ask(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        if request.action is Action.RECORD:
            return ALLOW
        asking = _Asking(self._questions(request), self._post, self._faults, answer)
        return asking.advance() or asking

    def preview(self, request: AccessRequest) -> Verdict:
        """Allowed where no URL would be asked."""
        hooks = self._hooks
        asked = hooks.on_publish if request.action is Action.PUBLISH else hooks.on_play
        if request.action is Action.RECORD or not (asked or (request.scheme in RTMP and hooks.on_connect)):
            return ALLOW
        return UNASKED

    def _questions(self, request: AccessRequest) -> Iterator[_Question]:
        """Yield what to ask; a question that is refused is the last that is taken."""
        hooks, bodies, visits = self._hooks, self._bodies, self._visits
        if request.scheme in RTMP and not visits.is_connected(request.peer.id):
            for url in hooks.on_connect:
                yield _Question("on_connect", url, bodies.connect(request))
            visits.connect(request)
        if request.action is Action.PUBLISH:
            for url in hooks.on_publish:
                yield _Question("on_publish", url, bodies.of_stream("on_publish", request))
        else:
            for url in hooks.on_play:
                yield _Question("on_play", url, bodies.play(request))
        visits.admit(request)


class _Question(NamedTuple):
    """One URL to ask."""

    action: str
    url: str
    body: bytes


class _Asking:
    """One request on its way through the URLs."""

    __slots__ = ("_answer", "_call", "_faults", "_post", "_questions")

    def __init__(
        self, questions: Iterator[_Question], post: Post, faults: HookFaults, answer: Answer
    ) -> None:
        self._questions = questions
        self._post = post
        self._faults = faults
        self._answer = answer
        self._call: Waiting | None = None

    def advance(self) -> Verdict | None:
        """Ask the next URL; return the verdict where none is left, or where it cannot be asked."""
        question = next(self._questions, None)
        if question is None:
            return ALLOW
        self._call = self._post(question.url, question.body, partial(self._replied, question))
        return (
            None if self._call is not None else self._unavailable(question, "too many requests wait for it")
        )

    def cancel(self) -> None:
        if self._call is not None:
            self._call.cancel()

    def _replied(self, question: _Question, reply: HttpReply) -> None:
        verdict: Verdict | None
        if reply.fault:
            verdict = self._unavailable(question, reply.fault)
        else:
            self._faults.note(question.action, question.url, "")
            why = refusal_of(reply.status, reply.body, limits.HOOK_REPLY_BYTES_MAX)
            verdict = forbid(f"{question.action} answers with {why}") if why else self.advance()
        if verdict is not None:
            self._answer(verdict)

    def _unavailable(self, question: _Question, why: str) -> Refused:
        # Clients are told no address of the operator's servers.
        self._faults.note(question.action, question.url, why)
        reason = f"the server of {question.action} does not answer"
        return Refused(Refusal.UNAVAILABLE, reason, limits.HOOK_RETRY_SECONDS)
