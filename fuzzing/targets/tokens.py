"""Tokens and signed URLs: whatever a client sends is refused or admitted, and only what a key has signed is admitted."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import jwt

from fastflv.access.auth import AuthRule
from fastflv.access.request import AccessRequest, Action
from fastflv.access.signedurl import AliyunSigner, TencentSigner, aliyun_url, tencent_query, unsign
from fastflv.access.tokens.key import KeyFault, read_set, secret
from fastflv.access.tokens.store import TokenStore
from fastflv.access.tokens.verifier import Verifier
from fastflv.access.verdict import ALLOW, Allowed
from fastflv.net.peer import Peer

SECRET = "0123456789abcdef0123456789abcdef"
NOW = 1_800_000_000
GOOD = jwt.encode({"exp": NOW + 60, "path": "live/x", "action": "play", "ip": "192.0.2.0/24"}, SECRET)
TENCENT = tencent_query(SECRET, "x", NOW + 60)
A, B, C = (aliyun_url(form, SECRET, "/live/x.flv", NOW + 60) for form in "ABC")
SIGNED = {"tencent": TENCENT.encode(), "a": A.encode(), "b": B.encode(), "c": C.encode()}
RULES = {
    "jwt": AuthRule(Action, TokenStore(lambda: NOW), Verifier([secret(SECRET.encode())])),
    "tencent": AuthRule(Action, TokenStore(lambda: NOW), None, [TencentSigner(Action.PLAY, [SECRET], 0)]),
    "a": AuthRule(Action, TokenStore(lambda: NOW), None, [AliyunSigner("A", Action.PLAY, [SECRET], 0)]),
    "b": AuthRule(Action, TokenStore(lambda: NOW), None, [AliyunSigner("B", Action.PLAY, [SECRET], 0)]),
    "c": AuthRule(Action, TokenStore(lambda: NOW), None, [AliyunSigner("C", Action.PLAY, [SECRET], 0)]),
}
REQUEST = AccessRequest(
    Action.PLAY,
    Peer("192.0.2.1", "192.0.2.1"),
    "c1",
    "v",
    "live",
    "x",
    "flv-play",
    "http",
    path="/live/x.flv",
)

SEEDS = (
    b"auth_key=1800000060-0-0-\xfe" + b"0" * 32,
    GOOD.encode(),
    *SIGNED.values(),
    b'{"keys": [{"kty": "oct", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", "kid": "a"}]}',
    b"eyJhbGciOiJub25lIn0.eyJleHAiOjF9.",
)
WORDS = (
    b"token=",
    b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
    b"eyJhbGciOiJub25lIn0.",
    b"txSecret=",
    b"txTime=",
    b"auth_key=",
    b"KEY1=",
    b"KEY2=",
    b"-0-0-",
    b"%2e",
    b"&",
    b"\xff",
)


def check(data: bytes) -> None:
    """Hold that no input raises, that nothing but what was signed is admitted, and that the token shows in no reason."""
    text = data.decode("utf-8", "surrogateescape")
    for name, rule in RULES.items():
        path, _, query = text.partition("?")
        unsigned = unsign(name.upper(), path)
        if unsigned is not None:
            query = unsigned.query
        for param in (f"?token={text}", f"?{text}", f"?{query}"):
            asked = replace(REQUEST, param=param, bearer=text)
            verdict = rule.ask(asked, _never)
            assert rule.recheck(asked) == verdict
            if verdict is ALLOW:
                # An Aliyun path may be changed in ways that its own path, which is fixed here, does not show.
                known = GOOD.encode() if name == "jwt" else SIGNED[name]
                assert known in data or _same(name, data), f"{name} admits {data!r}"
            elif len(text) > 8:
                assert not isinstance(verdict, Allowed)
                assert text not in getattr(verdict, "reason", "")
    with suppress(KeyFault):
        read_set(data, "it")


def _same(name: str, data: bytes) -> bool:
    """Whether *data* holds what the known proof holds, in another spelling or order."""
    digests = {"tencent": TENCENT[9:41], "a": A[-32:], "b": B[14:46], "c": C[1:33]}
    digest = digests.get(name)
    if digest is not None:
        return digest.encode() in data.lower() or b"%" in data
    return b"%" in data or b"+" in data


def _never(verdict: object) -> None:
    raise AssertionError("an answer that nobody waits for")
