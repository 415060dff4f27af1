"""The gate: order of rules, answers at once and later, cancelling, failing rules, and the check after a reload."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.access import Hook, request

from fastflv.access.gate import FAILED, Gate
from fastflv.access.rule import UNASKED, LateRule
from fastflv.access.rules import compile_rules
from fastflv.access.verdict import ALLOW, Redirected, Refusal, Refused, forbid
from fastflv.config.model.access import Refer, Rule, Security

NO = forbid("no")
NEVER = pytest.fail


def allow(_request):
    return ALLOW


def refuse(_request):
    return NO


def gate(*server, vhost=()):
    made = Gate(lambda _name: vhost)
    made.rules += server
    return made


class Fixed(LateRule):
    """A rule that could answer later, and knows at once."""

    def __init__(self, verdict):
        self.verdict = verdict

    def ask(self, request, answer):
        return self.verdict


def test_without_rules_everybody_is_admitted():
    assert gate().admit(request(), NEVER) is ALLOW


def test_rules_that_answer_at_once_give_the_verdict_at_once():
    assert gate(allow, vhost=(allow,)).admit(request(), NEVER) is ALLOW
    assert gate(allow, vhost=(refuse,)).admit(request(), NEVER) is NO
    assert gate(Fixed(ALLOW), Fixed(NO)).admit(request(), NEVER) is NO


def test_the_first_rule_that_does_not_allow_decides_and_the_others_are_not_asked():
    hook = Hook()
    away = Redirected("rtmp://b.example/live/x")
    assert gate(refuse, vhost=(lambda _request: away, hook)).admit(request(), NEVER) is away
    assert hook.asked == []


def test_the_rules_of_the_server_are_asked_behind_those_of_the_vhost():
    asked = []
    made = Gate(lambda name: (lambda _request: asked.append(name) or ALLOW,))
    made.rules.append(lambda _request: asked.append("server") or ALLOW)
    made.admit(request(vhost="b.example"), NEVER)
    assert asked == ["b.example", "server"]


def test_the_rules_of_a_vhost_are_those_of_the_present_configuration():
    present = [allow]
    made = Gate(lambda _name: present)
    assert made.admit(request(), NEVER) is ALLOW
    present[:] = [refuse]
    assert made.admit(request(), NEVER) is NO


def test_a_late_rule_holds_the_request_until_it_answers():
    hook, answers = Hook(), []
    waiting = gate(hook).admit(request(), answers.append)
    assert answers == []
    assert waiting.cancel
    hook.answers[0](ALLOW)
    assert answers == [ALLOW]


@pytest.mark.parametrize(
    "verdict", [NO, Refused(Refusal.UNAUTHORIZED, "who"), Redirected("http://b.example/x")]
)
def test_a_late_verdict_reaches_the_client_and_ends_the_asking(verdict):
    hook, later, answers = Hook(), Hook(), []
    gate(hook, later).admit(request(), answers.append)
    hook.answers[0](verdict)
    assert answers == [verdict]
    assert later.asked == []


def test_late_rules_are_asked_one_after_the_other():
    first, second, answers = Hook(), Hook(), []
    gate(first, allow, second, vhost=(allow,)).admit(request(), answers.append)
    assert second.asked == []
    first.answers[0](ALLOW)
    assert answers == []
    second.answers[0](ALLOW)
    assert answers == [ALLOW]


def test_a_prompt_rule_behind_a_late_one_is_asked_too():
    hook, answers = Hook(), []
    gate(refuse, vhost=(hook,)).admit(request(), answers.append)
    hook.answers[0](ALLOW)
    assert answers == [NO]


class Changed(Fixed):
    """A rule that counts at the gate, and judges clients again."""

    def recheck(self, request):
        return NO


def test_a_late_rule_judges_again_where_it_knows_at_once():
    made = gate(Changed(ALLOW))
    assert made.admit(request(), NEVER) is ALLOW
    assert made.recheck(request()) is NO
    assert gate(Fixed(NO)).recheck(request()) is ALLOW


def test_a_late_answer_delays_no_other_request():
    hook = Hook()
    made = gate(lambda asked: ALLOW if asked.stream else NO, vhost=(hook,))
    first, second = [], []
    made.admit(request(), first.append)
    made.admit(request(), second.append)
    hook.answers[1](ALLOW)
    assert (first, second) == ([], [ALLOW])
    hook.answers[0](NO)
    assert first == [NO]


def test_a_second_answer_of_a_rule_is_void():
    hook, later, answers = Hook(), Hook(), []
    gate(hook, later).admit(request(), answers.append)
    hook.answers[0](ALLOW)
    hook.answers[0](NO)
    assert answers == []
    later.answers[0](ALLOW)
    hook.answers[0](NO)
    later.answers[0](NO)
    assert answers == [ALLOW]


def test_a_cancelled_request_gets_no_answer_and_cancels_the_rule():
    hook = Hook()
    waiting = gate(hook).admit(request(), NEVER)
    waiting.cancel()
    hook.answers[0](ALLOW)
    waiting.cancel()
    assert hook.cancelled == 1


def test_cancelling_after_the_answer_does_nothing():
    hook, answers = Hook(), []
    waiting = gate(hook).admit(request(), answers.append)
    hook.answers[0](ALLOW)
    waiting.cancel()
    assert answers == [ALLOW]
    assert hook.cancelled == 0


def test_cancelling_cancels_the_rule_that_is_asked_now():
    first, second = Hook(), Hook()
    waiting = gate(first, second).admit(request(), NEVER)
    first.answers[0](ALLOW)
    waiting.cancel()
    assert (first.cancelled, second.cancelled) == (0, 1)


def test_a_request_that_is_cancelled_while_a_rule_is_asked_cancels_what_the_rule_began():
    first, second, waiting = Hook(), Hook(), []

    class Closing(LateRule):
        def ask(self, request, answer):
            waiting[0].cancel()
            return second

    waiting.append(gate(first, Closing()).admit(request(), NEVER))
    first.answers[0](ALLOW)
    assert second.cancelled == 1


def test_an_answer_before_the_rule_returned_counts_as_one_at_once():
    class Hasty(LateRule):
        def ask(self, request, answer):
            answer(NO)
            answer(ALLOW)
            return Hook()

    assert gate(Hasty()).admit(request(), NEVER) is NO


def failing(*_arguments):
    raise RuntimeError("broken rule")


class Failing(LateRule):
    ask = failing


@pytest.mark.parametrize(
    "rule",
    [failing, Failing(), lambda _request: None, lambda _request: True, Fixed(None), Fixed("yes")],
    ids=["prompt", "late", "none", "true", "late none", "late word"],
)
def test_a_rule_that_fails_refuses_and_is_logged(rule, caplog):
    assert gate(rule).admit(request(), NEVER) is FAILED
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert gate(allow).admit(request(), NEVER) is ALLOW


def test_the_traceback_of_a_failing_rule_is_logged(caplog):
    gate(failing).admit(request(), NEVER)
    assert "broken rule" in caplog.text


def test_a_late_answer_that_is_no_verdict_refuses(caplog):
    hook, answers = Hook(), []
    gate(hook).admit(request(), answers.append)
    hook.answers[0](None)
    assert answers == [FAILED]
    assert "no verdict" in caplog.text


def test_a_rule_that_cannot_be_cancelled_is_logged_only(caplog):
    class Stuck(Hook):
        cancel = failing

    waiting = gate(Stuck()).admit(request(), NEVER)
    waiting.cancel()
    assert "could not be cancelled" in caplog.text


def test_a_reload_that_forbids_reaches_those_admitted_and_those_who_wait():
    present = compile_rules(Security(), Refer())
    made = Gate(lambda _name: present)
    hook, answers = Hook(), []
    made.rules.append(hook)
    made.admit(request(ip="192.0.2.1"), answers.append)
    present = compile_rules(Security(True, (Rule(False, "play", "192.0.2.0/24"),)), Refer())
    assert made.recheck(request(ip="192.0.2.1")).reason == "'deny play 192.0.2.0/24' matches 192.0.2.1"
    assert made.recheck(request(ip="198.51.100.1")) is ALLOW
    hook.answers[0](ALLOW)
    assert answers == [made.recheck(request(ip="192.0.2.1"))]


def test_a_check_after_a_reload_asks_no_late_rule():
    hook = Hook()
    assert gate(hook, Fixed(NO), vhost=(allow,)).recheck(request()) is ALLOW
    assert hook.asked == []


def test_a_failing_rule_refuses_in_a_check_too():
    assert gate(failing).recheck(request()) is FAILED


class Shown(Hook):
    """A rule that knows whom it would refuse, without asking."""

    def preview(self, request):
        return ALLOW if request.stream else NO


def test_a_preview_asks_nobody_and_refuses_what_it_cannot_know():
    hook, shown = Hook(), Shown()
    assert gate(allow, shown).preview(request()) is ALLOW
    assert gate(refuse, shown).preview(request()) is NO
    assert gate(shown, hook).preview(request()) is UNASKED
    assert gate(failing).preview(request()) is FAILED
    assert hook.asked == shown.asked == []


VERDICTS = st.sampled_from((ALLOW, ALLOW, ALLOW, NO, Redirected("http://b.example/")))


@given(st.lists(st.tuples(VERDICTS, st.booleans()), max_size=6), st.integers(0, 6))
def test_any_mix_of_rules_answers_once_with_the_first_that_does_not_allow(rules, cancel_at):
    hooks, answers = [], []

    def make(verdict, late):
        if not late:
            return lambda _request: verdict
        hook = Hook()
        hooks.append((hook, verdict))
        return hook

    outcome = gate(*(make(*rule) for rule in rules)).admit(request(), answers.append)
    deciding = next((i for i, (verdict, _) in enumerate(rules) if verdict is not ALLOW), len(rules))
    expected = rules[deciding][0] if deciding < len(rules) else ALLOW
    late = sum(is_late for _, is_late in rules[: deciding + 1])
    if not late:
        assert outcome is expected
        return
    for i, (hook, verdict) in enumerate(hooks[:late]):
        if i == cancel_at:
            outcome.cancel()
        for answer in hook.answers:
            answer(verdict)
            answer(NO)
    assert answers == ([] if cancel_at < late else [expected])
    assert all(not hook.asked for hook, _ in hooks[late:])
