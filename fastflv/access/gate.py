"""The gate: the one place that admits publishers and players, whatever their protocol."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from fastflv.access.request import AccessRequest
from fastflv.access.rule import Answer, LateRule, PromptRule, Rule, Waiting
from fastflv.access.verdict import ALLOW, Allowed, Redirected, Refused, Verdict, forbid

log = logging.getLogger(__name__)

VERDICTS: Final = (Allowed, Refused, Redirected)
FAILED: Final = forbid("a rule of this server failed")


class Gate:
    """Asks the rules of the vhost, then those of the server, in order; the first that does not allow decides.

    The gate keeps nothing of a request. An admission that waits costs one object, which the connection
    holds, so the limit of connections bounds them.
    """

    __slots__ = ("_rules_of", "rules")

    def __init__(self, rules_of: Callable[[str], Sequence[Rule]]) -> None:
        """*rules_of* returns the present rules of a vhost by name; it is asked for each request."""
        self._rules_of = rules_of
        self.rules: list[Rule] = []
        "Rules of the whole server, asked last: the callbacks of an embedding program."

    def admit(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        """Return the verdict where all rules answer at once, else a `Waiting`.

        In the second case *answer* is called exactly once, never before `admit` returned, and not at all
        after `cancel`. A rule that raises an exception refuses, and the log shows its traceback.
        """
        if request.own or (not self.rules and not self._rules_of(request.vhost)):
            return ALLOW
        admission = _Admission(self, request, answer, self._every(request))
        verdict = admission.advance()
        return admission if verdict is None else verdict

    def recheck(self, request: AccessRequest) -> Verdict:
        """Ask again about a client that was admitted, after a reload: prompt rules, and late ones that know at once."""
        return self._ask_all(request, lambda rule: rule.recheck)

    def preview(self, request: AccessRequest) -> Verdict:
        """Say what a request that nobody makes yet would be answered, for a list of what a viewer may play; changes nothing.

        A rule that has to ask somebody refuses: what it guards is not shown to viewers who have not asked for it.
        """
        return self._ask_all(request, lambda rule: rule.preview)

    def _ask_all(self, request: AccessRequest, question: Callable[[LateRule], PromptRule]) -> Verdict:
        if request.own:
            return ALLOW
        for rule in self._every(request):
            verdict = _judge(question(rule) if isinstance(rule, LateRule) else rule, request)
            if not isinstance(verdict, Allowed):
                return verdict
        return ALLOW

    def _every(self, request: AccessRequest) -> Iterator[Rule]:
        return iter((*self._rules_of(request.vhost), *self.rules))


class _Admission:
    """One request on its way through the rules."""

    __slots__ = ("_answer", "_gate", "_request", "_rules", "_turn", "_waited", "_waiting")

    def __init__(self, gate: Gate, request: AccessRequest, answer: Answer, rules: Iterator[Rule]) -> None:
        self._gate = gate
        self._request = request
        self._answer: Answer | None = answer
        self._rules = rules
        self._turn = 0
        "Grows when a rule is asked and when it has answered: an answer with an older number is void."
        self._waiting: Waiting | None = None
        self._waited = False

    def advance(self) -> Verdict | None:
        """Ask the rules that follow; None when one of them has yet to answer, or after `cancel`."""
        for rule in self._rules:
            verdict = self._ask(rule) if isinstance(rule, LateRule) else _judge(rule, self._request)
            if not isinstance(verdict, Allowed):
                return verdict
        # A reload may have changed the rules while the request waited.
        return self._gate.recheck(self._request) if self._waited else ALLOW

    def cancel(self) -> None:
        """Give up: the answer is not called any more, and the rule asked last is cancelled."""
        self._answer = None
        self._turn += 1
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            _cancel(waiting)

    def _ask(self, rule: LateRule) -> Verdict | None:
        self._turn += 1
        turn = self._turn
        early: list[Verdict] = []
        asking = True

        def settle(verdict: Verdict) -> None:
            if self._turn != turn:
                return
            self._turn += 1
            if asking:
                early.append(_sound(verdict, rule))
            else:
                self._go_on(_sound(verdict, rule))

        try:
            given = rule.ask(self._request, settle)
        except Exception:
            log.exception("access rule %r failed", rule, extra=self._request.peer.marks)
            self._turn += 1
            return FAILED
        asking = False
        if early:
            return early[0]
        if not hasattr(given, "cancel"):
            self._turn += 1
            return _sound(given, rule)
        if self._answer is None:
            _cancel(given)
        else:
            self._waiting = given
        return None

    def _go_on(self, verdict: Verdict) -> None:
        """Take the late answer of a rule; ask the rules that follow, and answer once all have answered."""
        self._waiting = None
        self._waited = True
        final = self.advance() if isinstance(verdict, Allowed) else verdict
        answer = self._answer
        if final is not None and answer is not None:
            self._answer = None
            answer(final)


def _judge(rule: PromptRule, request: AccessRequest) -> Verdict:
    try:
        verdict = rule(request)
    except Exception:
        log.exception("access rule %r failed", rule, extra=request.peer.marks)
        return FAILED
    return _sound(verdict, rule)


def _sound(verdict: object, rule: Rule) -> Verdict:
    """Return *verdict* where it is one; a rule that returns anything else refuses."""
    if isinstance(verdict, VERDICTS):
        return verdict
    log.error("access rule %r returned %r, which is no verdict", rule, verdict)
    return FAILED


def _cancel(waiting: Waiting) -> None:
    try:
        waiting.cancel()
    except Exception:
        log.exception("%r could not be cancelled", waiting)
