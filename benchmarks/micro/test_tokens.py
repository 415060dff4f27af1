"""What a token costs at the gate: the first use, which verifies a signature, and each later one. Run: `pytest benchmarks/micro --benchmark-only`.

Microseconds of one join are thousandths of a core at 1,000 joins a second divided by ten: 20 us are 2 %.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import count
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_benchmark.fixture import BenchmarkFixture

from fastflv.access.auth import AuthRule
from fastflv.access.gate import Gate
from fastflv.access.request import AccessRequest, Action
from fastflv.access.tokens.key import public_key, secret
from fastflv.access.tokens.store import TokenStore
from fastflv.access.tokens.verifier import Verifier
from fastflv.access.verdict import ALLOW, Verdict
from fastflv.net.peer import Peer

SECRET = "0123456789abcdef0123456789abcdef"
KEYS: dict[str, Any] = {
    "HS256": SECRET,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": rsa.generate_private_key(65537, 2048),
}
REQUEST = AccessRequest(
    Action.PLAY, Peer("192.0.2.1", "192.0.2.1"), "c1", "v", "live", "x", "flv-play", "http"
)
TOKENS = 3_000
"Different tokens that one round verifies."


def gate(algorithm: str) -> Gate:
    key = KEYS[algorithm]
    if algorithm == "HS256":
        known = secret(SECRET.encode())
    else:
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        known = public_key(pem, algorithm)
    store = TokenStore()
    rule = AuthRule(Action, store, Verifier([known], cache=store.cache))
    return Gate(lambda vhost: (rule,))


def asked(algorithm: str, number: int) -> AccessRequest:
    claims = {"exp": time.time() + 3600, "path": "live/x", "action": "play", "jti": str(number)}
    return replace(REQUEST, param=f"?token={jwt.encode(claims, KEYS[algorithm], algorithm=algorithm)}")


def never(verdict: Verdict) -> None:
    raise AssertionError("an answer that nobody waits for")


@pytest.mark.parametrize("algorithm", KEYS)
def test_first_use(benchmark: BenchmarkFixture, algorithm: str) -> None:
    benchmark.group = "a token for the first time"
    requests = [asked(algorithm, number) for number in range(TOKENS)]
    door, numbers = gate(algorithm), count()
    found = benchmark.pedantic(lambda: door.admit(requests[next(numbers)], never), rounds=TOKENS)
    assert found is ALLOW


@pytest.mark.parametrize("algorithm", ["none", *KEYS])
def test_later_use(benchmark: BenchmarkFixture, algorithm: str) -> None:
    benchmark.group = "a token that was verified before"
    door = gate(algorithm) if algorithm != "none" else Gate(lambda vhost: ())
    request = asked(algorithm, 1) if algorithm != "none" else REQUEST
    assert benchmark(door.admit, request, never) is ALLOW
