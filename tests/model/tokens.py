"""Keys, tokens and requests that have them."""

from __future__ import annotations

import json
from dataclasses import replace

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from model.access import request

from fastflv.access.tokens.key import public_key, secret

NOW = 1_800_000_000
SECRET = "0123456789abcdef0123456789abcdef"
OTHER = "another secret, also of 32 bytes."
PRIVATE = {
    "HS256": SECRET,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "RS256": rsa.generate_private_key(65537, 2048),
}
CLAIMS = {"exp": NOW + 60, "path": "live/x", "action": "play"}


def pem(algorithm):
    """The public key of an algorithm as PEM."""
    return PRIVATE[algorithm].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(algorithm):
    return PRIVATE[algorithm].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def key(algorithm):
    """The key that verifies an algorithm."""
    return secret(SECRET.encode()) if algorithm == "HS256" else public_key(pem(algorithm), algorithm)


def row(algorithm, kid):
    """The key of an algorithm as a row of a JWK set."""
    made = jwt.get_algorithm_by_name(algorithm)
    value = SECRET if algorithm == "HS256" else PRIVATE[algorithm].public_key()
    return {**json.loads(made.to_jwk(made.prepare_key(value))), "kid": kid, "use": "sig"}


def key_set(*rows):
    return json.dumps({"keys": rows}).encode()


def token(algorithm="HS256", key=None, headers=None, **claims):
    """A signed token of CLAIMS and *claims*; a claim that is None is left out."""
    every = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    return jwt.encode(every, key or PRIVATE[algorithm], algorithm=algorithm, headers=headers)


def asked(text, bearer="", stream="x", **more):
    """A request for live/x with *text* as its token."""
    return replace(request(**more), param=f"?token={text}" if text else "", bearer=bearer, stream=stream)
