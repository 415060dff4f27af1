"""Tokens: what is refused, and that no change of a token or of a request opens anything."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.access import request
from model.tokens import CLAIMS, NOW, OTHER, PRIVATE, SECRET, asked, key, pem, token

from fastflv import limits
from fastflv.access.auth import AuthRule
from fastflv.access.request import Action
from fastflv.access.tokens.cache import TokenCache
from fastflv.access.tokens.grant import covers
from fastflv.access.tokens.key import ALGORITHMS, secret
from fastflv.access.tokens.store import TokenStore
from fastflv.access.tokens.verifier import Verifier
from fastflv.access.verdict import ALLOW, Refusal


class Clock:
    def __init__(self):
        self.now = float(NOW)

    def __call__(self):
        return self.now


def rule(*keys, clock=None, enforce=False, actions=Action, **more):
    store = TokenStore(clock or Clock())
    verifier = Verifier(keys or (key("HS256"),), cache=store.cache, **more)
    return AuthRule(actions, store, verifier, enforce_expiry=enforce)


def judge(made, *args, **more):
    """The verdict about a request with a token."""
    return made.ask(asked(*args, **more), pytest.fail)


def why(made, *args, **more):
    """The reason for which a request is forbidden."""
    verdict = judge(made, *args, **more)
    assert verdict.kind is Refusal.FORBIDDEN
    return verdict.reason


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_each_algorithm_is_verified_by_its_key_and_no_other(algorithm):
    assert judge(rule(key(algorithm)), token(algorithm)) is ALLOW
    for other in ALGORITHMS:
        if other != algorithm:
            assert "no key is for" in why(rule(key(other)), token(algorithm))


def test_a_request_without_a_token_is_unauthorised_and_may_come_back_with_one():
    verdict = judge(rule(), "")
    assert verdict.kind is Refusal.UNAUTHORIZED
    assert verdict.reason == "'play' needs a token"
    assert judge(rule(), "", bearer=token()) is ALLOW


def test_actions_that_are_not_listed_need_no_token():
    made = rule(actions=[Action.PUBLISH])
    assert made.ask(request(), pytest.fail) is ALLOW
    assert made.ask(request(Action.PUBLISH), pytest.fail).kind is Refusal.UNAUTHORIZED


REFUSED = {
    "another key": (token(key=OTHER), "the signature of the token is wrong"),
    "no signature": (jwt.encode(CLAIMS, "", algorithm="none"), "algorithm is none of"),
    "an unknown algorithm": (jwt.encode(CLAIMS, SECRET * 2, algorithm="HS512"), "algorithm is none of"),
    "expired": (token(exp=NOW - 60), "the token expired 60 s ago"),
    "not yet valid": (token(nbf=NOW + 60), "the token is valid in 60 s only"),
    "no exp": (token(exp=None), "the token has no exp in seconds"),
    "milliseconds": (token(exp=NOW * 1000), "the token has no exp in seconds"),
    "exp as a text": (token(exp=str(NOW + 60)), "the token has no exp in seconds"),
    "no path": (token(path=None), "the token has no path"),
    "a path that is no text": (token(path=["live/x"]), "the token's path is no text"),
    "another path": (token(path="live/y"), "the token is for 'live/y'"),
    "half a segment": (token(path="liv"), "the token is for 'liv'"),
    "no action": (token(action=None), "the token has no action"),
    "another action": (token(action="publish"), "the token is not for 'play'"),
    "an action that there is not": (token(action=["play", "fly"]), "an action that is none of"),
    "no actions": (token(action=[]), "the token's action is no list"),
    "another address": (token(ip="192.0.2.9"), "the token is not for the address 192.0.2.1"),
    "an address that is none": (token(ip="x"), "the token's ip is no address"),
    "too many addresses": (token(ip=["192.0.2.1"] * 17), "more than 16 addresses"),
    "no uses": (token(max=0), "the token's max is no number"),
    "max as a flag": (token(max=True), "the token's max is no number"),
    "a jti that is no text": (token(jti=5), "the token's jti is no text"),
    "a jti that is too long": (token(jti="a" * 257), "the token's jti has not 1 to 256"),
    "too long": (token(other="a" * limits.TOKEN_CHARS_MAX), "more than 4096 characters"),
    "no token": ("secret", "the token is no JSON Web Token"),
    "other characters": ("a.b.c\u00e9", "the token is no JSON Web Token"),
    "no header": ("a.b.c", "the token is no JSON Web Token"),
    "a kid that is no text": (
        ".".join(
            (base64.urlsafe_b64encode(b'{"alg":"HS256","kid":5}').decode().rstrip("="), *token().split(".")[1:])
        ),
        "the token is no JSON Web Token",
    ),
    "a critical extension": (token(headers={"crit": ["b64"], "b64": True}), "the token is no JSON Web Token"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_token_that_does_not_cover_the_request_is_forbidden_with_the_reason(text, reason):
    found = why(rule(), text)
    assert reason in found
    assert text not in found


WRITTEN = json.dumps(CLAIMS).encode()


def signed_claims(payload):
    return jwt.PyJWS().encode(payload, SECRET, algorithm="HS256")


@pytest.mark.parametrize("payload", [WRITTEN, b" \n" + WRITTEN, WRITTEN + b"\r\n\t "])
def test_claims_may_have_white_space_around_them(payload):
    assert judge(rule(), signed_claims(payload)) is ALLOW


@pytest.mark.parametrize(
    "payload",
    [
        b"", b" ", b"{", b'{"a":}', b"null", b"[1]", b"[" + WRITTEN + b"]", WRITTEN + b"x", WRITTEN * 2, b"x" + WRITTEN,
        WRITTEN[:-1], WRITTEN.replace(b"live", b"\xff"), b"\xef\xbb\xbf" + WRITTEN, b'{"":' * 700, b"[" * 2500,
    ],
)  # fmt: skip
def test_a_token_whose_claims_are_no_object_is_refused(payload):
    assert why(rule(), signed_claims(payload)) in (
        "the token holds no claims", "the token is no JSON Web Token", "the token has no path",
    )  # fmt: skip


def test_a_public_key_is_never_taken_for_a_secret():
    """The oldest attack: the header says HS256, and the signature is made with the public key that everybody has."""
    for algorithm in ("ES256", "EdDSA", "RS256"):
        head, claims, _ = token().split(".")
        signature = jwt.get_algorithm_by_name("HS256").sign(f"{head}.{claims}".encode(), pem(algorithm))
        forged = f"{head}.{claims}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
        assert "no key is for HS256" in why(rule(key(algorithm)), forged)


def test_algorithms_can_be_restricted():
    made = rule(key("HS256"), key("ES256"), algorithms=("ES256",))
    assert judge(made, token("ES256")) is ALLOW
    assert why(made, token("HS256")) == "HS256 is not allowed here"


def test_any_of_several_keys_verifies():
    made = rule(secret(OTHER.encode()), key("HS256"), key("ES256"))
    assert judge(made, token()) is ALLOW
    assert judge(made, token(key=OTHER)) is ALLOW
    assert judge(made, token("ES256")) is ALLOW
    # A key of the configuration has no name: a kid does not matter.
    assert judge(made, token(headers={"kid": "seven"})) is ALLOW


def test_clocks_may_differ_by_the_leeway():
    clock = Clock()
    made = rule(clock=clock)
    text = token(exp=NOW, nbf=NOW - 30)
    clock.now = NOW + limits.TOKEN_LEEWAY_SECONDS - 0.5
    assert judge(made, text) is ALLOW
    clock.now = NOW + limits.TOKEN_LEEWAY_SECONDS
    assert "expired" in why(made, text)
    clock.now = NOW - 30 - limits.TOKEN_LEEWAY_SECONDS
    assert judge(made, text) is ALLOW
    clock.now -= 1
    assert "is valid in" in why(made, text)


def test_issuer_and_audience_count_where_the_configuration_names_them():
    made = rule(issuer="us", audience="live")
    assert judge(made, token(iss="us", aud=["web", "live"])) is ALLOW
    assert why(made, token(iss="them", aud="live")) == "the token is of another issuer"
    assert why(made, token(iss="us", aud="web")) == "the token is for another audience"
    assert why(made, token(iss="us")) == "the token has no aud"
    assert judge(rule(), token(iss="them", aud="web")) is ALLOW


def test_an_address_may_be_a_network_or_one_of_several():
    for ip in ("192.0.2.1", "192.0.2.0/24", ["10.0.0.0/8", "::ffff:192.0.2.1"]):
        assert judge(rule(), token(ip=ip)) is ALLOW


def test_a_client_that_runs_outlives_its_token_unless_expiry_is_enforced():
    clock = Clock()
    lenient, strict = rule(clock=clock), rule(clock=clock, enforce=True)
    client = asked(token())
    clock.now += 3600
    assert lenient.recheck(client) is ALLOW
    assert "expired" in strict.recheck(client).reason
    assert "expired" in lenient.ask(client, pytest.fail).reason


def test_a_client_whose_key_is_gone_is_refused_when_it_is_asked_about_again():
    store = TokenStore(Clock())
    client = asked(token())
    before = AuthRule(Action, store, Verifier([key("HS256")], cache=store.cache))
    rotated = AuthRule(Action, store, Verifier([secret(OTHER.encode()), key("HS256")], cache=store.cache))
    gone = AuthRule(Action, store, Verifier([secret(OTHER.encode())], cache=store.cache))
    assert before.ask(client, pytest.fail) is ALLOW
    assert rotated.recheck(client) is ALLOW
    assert "signature" in gone.recheck(client).reason
    assert gone.recheck(asked("")).kind is Refusal.UNAUTHORIZED


def test_what_is_remembered_of_tokens_is_bounded(monkeypatch):
    monkeypatch.setattr(limits, "TOKEN_CACHE_MAX", 2)
    monkeypatch.setattr(limits, "TOKEN_HEADERS_MAX", 2)
    cache = TokenCache()
    made = Verifier([key("HS256")], cache=cache)
    for number in range(5):
        made.verify(token(headers={"kid": str(number)}, jti=str(number)))
    assert len(cache) == 2


def test_a_verified_token_is_remembered_for_its_own_issuer_and_audience_alone():
    cache = TokenCache()
    text = token(iss="us")
    assert Verifier([key("HS256")], cache=cache).verify(text)
    with pytest.raises(Exception, match="another issuer"):
        Verifier([key("HS256")], cache=cache, issuer="them").verify(text)


# --- properties ------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = ("exp", "nbf", "path", "action", "ip", "max", "jti")
FULL = {"exp": NOW + 60, "nbf": NOW, "path": "live/x", "action": "play", "ip": "192.0.2.1", "max": 2, "jti": "a"}  # fmt: skip


def means_the_same(name, value):
    """Whether a claim with *value* still covers the request."""
    if name == "exp":
        return type(value) in (int, float) and NOW - 10 < value <= limits.TOKEN_TIME_MAX
    if name == "nbf":
        return type(value) in (int, float) and 0 <= value <= NOW + 10
    if name == "path":
        return isinstance(value, str) and value.strip("/") in ("", "live", "live/x")
    if name == "max":
        return type(value) is int and 1 <= value <= limits.TOKEN_USES_MAX
    if name == "jti":
        return isinstance(value, str) and 0 < len(value) <= limits.TOKEN_ID_CHARS_MAX
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        return False
    if name == "action":
        return "play" in words and set(words) <= {"play", "publish", "record"}
    return words == ["192.0.2.1"]


@given(st.sampled_from(NAMES), JSON)
def test_every_claim_that_is_changed_is_refused_unless_it_still_covers_the_request(name, value):
    # Signed as any other: it is the claim that is judged.
    text = jwt.api_jws.encode(json.dumps({**FULL, name: value}).encode(), SECRET, algorithm="HS256")
    if name == "ip" and not means_the_same(name, value):
        with_address = replace(asked(text))
        verdict = rule().ask(with_address, pytest.fail)
        if verdict is ALLOW:
            words = [value] if isinstance(value, str) else value
            assert any("192.0.2.1" in word or "/" in word for word in words)
        return
    assert (judge(rule(), text) is ALLOW) == means_the_same(name, value)


@given(st.data())
def test_a_token_with_any_character_changed_is_refused(data):
    text = token(**FULL)
    at = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(
        st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=text[at] + "%&+;?#=")
    )
    changed = text[:at] + character + text[at + 1 :]
    assert why(rule(), changed)


SEGMENT = st.text(st.sampled_from("ab/"), max_size=6)


@given(SEGMENT, SEGMENT)
def test_a_prefix_ends_at_a_border_of_segments(prefix, path):
    parts, whole = prefix.split("/"), path.split("/")
    assert covers(prefix, path) == (not prefix or whole[: len(parts)] == parts)


@given(st.sampled_from(ALGORITHMS), st.sampled_from(ALGORITHMS), st.booleans())
def test_no_header_makes_a_key_verify_another_algorithm(signed, claimed, cached):
    """A token that is signed by one algorithm and names another one is refused by all keys together."""
    made = rule(*map(key, ALGORITHMS))
    text = token(signed)
    if cached:
        assert judge(made, text) is ALLOW
    head = base64.urlsafe_b64encode(json.dumps({"typ": "JWT", "alg": claimed}).encode()).decode().rstrip("=")
    changed = ".".join((head, *text.split(".")[1:]))
    if signed != claimed:
        assert "signature" in why(made, changed)


def test_the_keys_of_the_tests_differ():
    assert len({key(name).print for name in ALGORITHMS}) == len(PRIVATE)
