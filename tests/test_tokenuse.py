"""What a server remembers of tokens: simultaneous uses, revocations, and sets of keys that change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.tokens import NOW, PRIVATE, asked, key_set, row, token

from fastflv import limits
from fastflv.access.auth import AuthRule
from fastflv.access.request import Action
from fastflv.access.tokens.key import read_set
from fastflv.access.tokens.revocations import Revocations
from fastflv.access.tokens.store import TokenStore
from fastflv.access.tokens.uses import Uses
from fastflv.access.tokens.verifier import Verifier
from fastflv.access.verdict import ALLOW
from fastflv.errors import UsageError


def grant_of(text):
    return Verifier(read_set(key_set(row("HS256", "a")), "it")).verify(text)


# --- uses ------------------------------------------------------------------------------------


def test_a_token_has_as_many_uses_at_once_as_it_says():
    here = {"a", "b"}
    uses = Uses(here.__contains__)
    twice = grant_of(token(max=2, jti="t"))
    assert uses.take(twice, "a") and uses.take(twice, "b")
    assert not uses.take(twice, "c")
    assert uses.take(twice, "a"), "a session that comes again is one use"
    uses.release("a")
    assert uses.take(twice, "c")
    assert uses.take(grant_of(token(jti="other", max=1)), "d")
    assert uses.take(grant_of(token()), "e"), "a token without max"


def test_a_request_that_came_to_nothing_gives_its_use_back():
    uses = Uses(lambda client: False)
    once = grant_of(token(max=1))
    assert all(uses.take(once, str(number)) for number in range(5))
    assert len(uses) == 1


def test_uses_that_came_to_nothing_are_forgotten(monkeypatch):
    monkeypatch.setattr(limits, "TOKEN_USES_SWEEP", 4)
    uses = Uses(lambda client: False)
    for number in range(100):
        assert uses.take(grant_of(token(max=1))._replace(id=str(number)), str(number))
    assert len(uses) <= 5


@given(st.lists(st.tuples(st.sampled_from(["come", "go", "use"]), st.integers(0, 5)), max_size=40))
def test_uses_never_exceed_their_number(steps):
    here = set()
    uses = Uses(here.__contains__)
    grant = grant_of(token(max=2, jti="t"))
    for step, client in steps:
        client = str(client)
        if step == "come" and uses.take(grant, client):
            here.add(client)
        elif step == "go":
            here.discard(client)
            uses.release(client)
        assert len(here) <= 2
    for client in list(here):
        uses.release(client)
    assert len(uses) == 0


# --- revocations -----------------------------------------------------------------------------


def test_a_token_is_revoked_by_its_name():
    made = Revocations()
    made.add(NOW, jti="t", until=NOW + 60)
    grant = grant_of(token(jti="t"))
    assert made.find(grant, "live/x", NOW).jti == "t"
    assert made.find(grant_of(token(jti="u")), "live/x", NOW) is None
    assert made.find(grant, "live/x", NOW + 60) is None
    assert made.lift(jti="t") and not made.lift(jti="t")
    assert made.find(grant, "live/x", NOW) is None


def test_all_tokens_of_a_path_are_revoked_that_were_issued_before():
    made = Revocations()
    made.add(NOW, path="/live/")
    old, new = grant_of(token(iat=NOW - 5)), grant_of(token(iat=NOW + 5))
    for path in ("live", "live/x", "live/a/x"):
        assert made.find(old, path, NOW + 9) is not None
        assert made.find(grant_of(token()), path, NOW + 9) is not None, "no iat: it may be old"
        assert made.find(new, path, NOW + 9) is None
    for path in ("", "lives/x", "other/live"):
        assert made.find(old, path, NOW + 9) is None
    made.add(NOW, path="")
    assert made.find(old, "other/x", NOW) is not None


def test_a_revocation_knows_whom_it_is_about():
    made = Revocations()
    by_name, by_path = made.add(NOW, jti="t"), made.add(NOW, path="live")
    named, new = grant_of(token(jti="t", iat=NOW + 5)), grant_of(token(iat=NOW + 5))
    assert by_name.takes(named, "other/x") and not by_name.takes(new, "live/x")
    assert by_path.takes(grant_of(token()), "live/x") and not by_path.takes(grant_of(token()), "lives/x")
    assert not by_path.takes(named, "live/x")


def test_revocations_are_bounded_and_none_that_counts_is_forgotten(monkeypatch):
    monkeypatch.setattr(limits, "REVOKED_MAX", 2)
    made = Revocations()
    made.add(NOW, jti="a", until=NOW + 5)
    made.add(NOW, path="live")
    with pytest.raises(UsageError, match="2 revocations are kept already"):
        made.add(NOW, jti="b")
    made.add(NOW, path="live", until=NOW + 9)
    made.add(NOW + 6, jti="b")
    assert [each.jti or each.path for each in made] == ["b", "live"]


def test_a_rule_refuses_what_was_revoked_at_the_gate_and_when_it_is_asked_again():
    store = TokenStore(lambda: NOW)
    made = AuthRule(Action, store, Verifier(read_set(key_set(row("HS256", "a")), "it")))
    client = asked(token(jti="t"))
    assert made.ask(client, pytest.fail) is ALLOW
    assert made.granted(client).id == "t"
    store.revocations.add(NOW, jti="t")
    assert made.ask(client, pytest.fail).reason == "the token was revoked"
    assert made.recheck(client).reason == "the token was revoked"
    assert made.granted(asked("")) is None
    assert made.granted(asked("x.y.z")) is None


def test_a_rule_counts_uses_of_those_who_are_admitted_only():
    here = set()
    store = TokenStore(lambda: NOW, is_here=here.__contains__)
    made = AuthRule(Action, store, Verifier(read_set(key_set(row("HS256", "a")), "it")))
    client = asked(token(max=1))
    for other in (replace(client, stream="y"), replace(client, action=Action.PUBLISH)):
        assert made.ask(other, pytest.fail) is not ALLOW
    here.add("c1")
    assert made.ask(client, pytest.fail) is ALLOW
    assert made.ask(replace(client, client_id="c2"), pytest.fail).reason == (
        "the token is in use 1 times already"
    )
    assert made.recheck(client) is ALLOW


# --- sets of keys ----------------------------------------------------------------------------


class Source:
    """A set of keys that a test reads."""

    def __init__(self, *rows, read=True):
        self.keys = read_set(key_set(*rows), "it") if rows else ()
        self.read = read
        self.waiting = []
        self.closed = False

    def renew(self, done):
        if self.closed:
            return None
        self.waiting.append(done)
        return self

    def cancel(self):
        self.waiting.clear()

    def now_has(self, *rows):
        self.keys = read_set(key_set(*rows), "it")
        self.waiting.pop()()


def ruled(*sources):
    store = TokenStore(lambda: NOW)
    return AuthRule(Action, store, Verifier((), sources, cache=store.cache))


NEW = {"kid": "new"}


def test_a_key_is_found_by_its_kid_and_a_token_without_one_by_any():
    made = ruled(Source(row("ES256", "old"), row("RS256", "other")))
    assert made.ask(asked(token("ES256", headers={"kid": "old"})), pytest.fail) is ALLOW
    assert made.ask(asked(token("RS256")), pytest.fail) is ALLOW


def test_a_kid_that_nobody_knows_waits_for_the_next_version_of_the_set():
    source, answers = Source(row("RS256", "old")), []
    made = ruled(source)
    text = token("ES256", headers=NEW)
    waiting = made.ask(asked(text), answers.append)
    assert waiting.cancel and answers == []
    source.now_has(row("RS256", "old"), row("ES256", "new"))
    assert answers == [ALLOW]
    assert made.ask(asked(text), pytest.fail) is ALLOW


def test_a_kid_that_stays_unknown_is_refused_and_asks_at_most_once_at_a_time():
    source, answers = Source(row("RS256", "old")), []
    made = ruled(source)
    made.ask(asked(token("ES256", headers=NEW)), answers.append)
    source.now_has(row("RS256", "old"))
    assert "no key has the kid" in answers[0].reason
    source.closed = True
    assert "no key has the kid" in made.ask(asked(token("ES256", headers=NEW)), pytest.fail).reason


def test_a_wrong_signature_under_a_known_kid_asks_for_nothing():
    made = ruled(Source(row("HS256", "new")))
    verdict = made.ask(asked(token(key="x" * 32, headers=NEW)), pytest.fail)
    assert verdict.reason == "the signature of the token is wrong"


def test_a_client_that_leaves_is_forgotten_by_the_set():
    source = Source(row("RS256", "old"))
    ruled(source).ask(asked(token("ES256", headers=NEW)), pytest.fail).cancel()
    assert source.waiting == []


def test_clients_stay_while_a_set_was_never_read_and_go_when_it_has_not_their_key():
    client = asked(token("ES256", headers=NEW))
    assert ruled(Source(read=False)).recheck(client) is ALLOW
    assert "no key has the kid" in ruled(Source(row("RS256", "old"))).recheck(client).reason


def test_a_set_has_no_key_that_its_rows_do_not_allow():
    private = {**row("HS256", "a"), "alg": "HS256"}
    assert [key.algorithm for key in read_set(key_set(private), "it")] == ["HS256"]
    assert PRIVATE["HS256"].encode() == read_set(key_set(private), "it")[0].value
