"""Keys that verify tokens. A key has one algorithm, so the header of a token cannot choose another one for it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fastflv import limits
from fastflv.config.masking import masked

if TYPE_CHECKING:
    from jwt.api_jwk import PyJWK

HS256: Final = "HS256"
ALGORITHMS: Final = (HS256, "ES256", "EdDSA", "RS256")
"Algorithms that tokens may have; `none` is none of them."

INSTALL: Final = "pip install 'fastflv[keys]'"
_HEADS: Final = ("/", "./", "../")


@dataclass(frozen=True, slots=True)
class Key:
    """One key that verifies tokens."""

    algorithm: str
    "One of ALGORITHMS."

    kid: str
    "Its name in a set of keys; empty for a key of the configuration, which verifies whatever `kid` a token has."

    value: Any
    "Bytes of a secret, or the public key of `cryptography`."

    print: str
    "Hash of the key: equal keys are one key, whichever file they came from."


class KeyFault(ValueError):
    """A key that cannot be used: one sentence, and what to do."""

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(f"{detail}; {hint}" if hint else detail)
        self.detail = detail
        self.hint = hint


def is_file(word: str) -> bool:
    """Return whether a word of `key` names a file: it begins with `/`, `./` or `../`."""
    return word.startswith(_HEADS)


def read_key(word: str, folder: str = "") -> Key:
    """Return the key that *word* is or whose file it names; paths are relative to *folder*. Raises KeyFault."""
    if not is_file(word):
        return secret(word.encode("utf-8", "surrogateescape"))
    data = read_file(os.path.join(folder, word))
    if b"-----BEGIN" in data:
        return public_key(data, word)
    # Editors and `echo` end a file with a line break, which is no part of the secret.
    return secret(data.rstrip(b"\r\n"), word)


def read_file(path: str, most: int = limits.TOKEN_KEY_FILE_BYTES_MAX) -> bytes:
    """Return the bytes of a file of *most* bytes at most. Raises KeyFault."""
    try:
        with open(path, "rb") as source:
            data = source.read(most + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise KeyFault(
            f"cannot read {masked(path)}: {reason.lower()}",
            "a key that begins with '/' or '.' is the path of a file; any other one is the secret itself",
        ) from None
    if len(data) > most:
        raise KeyFault(f"{path} is larger than {most} bytes")
    return data


def secret(value: bytes, name: str = "", kid: str = "") -> Key:
    """Return the key of HS256 that *value* is. Raises KeyFault for one that is too short."""
    if len(value) < limits.TOKEN_SECRET_BYTES_MIN:
        raise KeyFault(
            f"{name or 'the secret'} has {len(value)} bytes, and HS256 needs"
            f" {limits.TOKEN_SECRET_BYTES_MIN} (RFC 7518, 3.2)",
            "make one with `fastflv token key`",
        )
    return Key(HS256, kid, value, _print(HS256, value))


def public_key(data: bytes, name: str) -> Key:
    """Return the key of a PEM file: a public key, or the one of a certificate. Raises KeyFault."""
    try:
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
        from cryptography.x509 import load_pem_x509_certificate
    except ImportError:
        raise KeyFault(f"{name}: ES256, EdDSA and RS256 need the package cryptography", INSTALL) from None
    if b"PRIVATE KEY-----" in data:
        raise KeyFault(
            f"{name} has a private key, which the server must not have",
            f"write its public one to another file: openssl pkey -in {name} -pubout",
        )
    try:
        value = (
            load_pem_x509_certificate(data).public_key()
            if b"BEGIN CERTIFICATE-----" in data
            else load_pem_public_key(data)
        )
    except Exception:
        # The library has errors of many kinds; each means that these bytes are no key.
        raise KeyFault(f"{name} has no public key that can be read", "it has to be a PEM file") from None
    return _of_public(value, name, "")


def read_set(data: bytes, name: str) -> tuple[Key, ...]:
    """Return the keys of a JWK set that can verify tokens (RFC 7517, 5); others are left out.

    Raises KeyFault for bytes that are no set, or one without such a key.
    """
    try:
        rows = json.loads(data)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        rows = None
    if not isinstance(rows, list):
        raise KeyFault(f"{name} is no JWK set", 'it has to be JSON as {"keys": [...]}')
    keys, why = [], "it has no keys"
    for row in rows[: limits.TOKEN_KEYS_MAX]:
        try:
            keys.append(_of_row(row, name))
        except KeyFault as fault:
            why = str(fault)
    if not keys:
        raise KeyFault(f"{name} has no key that verifies tokens: {why}")
    return tuple(keys)


def _of_row(row: object, name: str) -> Key:
    """Return the key of one row of a set. Its `use` and `alg` bind, where it has them (RFC 7517, 4.2 and 4.4)."""
    if not isinstance(row, dict) or row.get("use", "sig") != "sig":
        raise KeyFault("a key is not for signatures")
    kid, algorithm = row.get("kid", ""), row.get("alg")
    if not isinstance(kid, str) or not isinstance(algorithm, str | None):
        raise KeyFault("a key has a kid or alg that is no text")
    loaded = _load(row)
    key = secret(loaded, "a key", kid) if isinstance(loaded, bytes) else _of_public(loaded, name, kid)
    if algorithm is not None and algorithm != key.algorithm:
        raise KeyFault(f"a key is for {algorithm}, which is none of {', '.join(ALGORITHMS)}")
    return key


def _load(row: dict[str, Any]) -> Any:
    """Return what a row holds: the bytes of a secret, or a public key."""
    from jwt import PyJWK
    from jwt.exceptions import MissingCryptographyError

    try:
        # Its own choice of algorithm is for signing; what counts here is the kind of key.
        return _public(PyJWK({key: row[key] for key in row if key != "alg"}))
    except MissingCryptographyError:
        raise KeyFault("ES256, EdDSA and RS256 need the package cryptography", INSTALL) from None
    except Exception:
        # The library has errors of many kinds; each means that this row is no key.
        raise KeyFault("a key cannot be read") from None


def _public(loaded: PyJWK) -> Any:
    value = loaded.key
    # A private JWK proves the wrong file, but its public half verifies all the same.
    return value.public_key() if hasattr(value, "public_key") else value


def _of_public(value: Any, name: str, kid: str) -> Key:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if isinstance(value, ec.EllipticCurvePublicKey) and isinstance(value.curve, ec.SECP256R1):
        algorithm = "ES256"
    elif isinstance(value, ed25519.Ed25519PublicKey):
        algorithm = "EdDSA"
    elif isinstance(value, rsa.RSAPublicKey):
        algorithm = "RS256"
        if value.key_size < limits.TOKEN_RSA_BITS_MIN:
            raise KeyFault(
                f"{name} has an RSA key of {value.key_size} bits, and RS256 needs"
                f" {limits.TOKEN_RSA_BITS_MIN} (RFC 7518, 3.3)"
            )
    else:
        raise KeyFault(
            f"{name} has a key of no known kind", "ES256 takes P-256, EdDSA takes Ed25519, RS256 takes RSA"
        )
    plain = value.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Key(algorithm, kid, value, _print(algorithm, plain))


def _print(algorithm: str, value: bytes) -> str:
    return hashlib.sha256(algorithm.encode() + b"\0" + value).hexdigest()


def distinct(keys: Iterable[Key]) -> tuple[Key, ...]:
    """Return *keys* with equal ones once."""
    return tuple({(key.kid, key.print): key for key in keys}.values())
