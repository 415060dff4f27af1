"""Verifies tokens of one vhost: form, algorithm, signature, claims, in this order."""

from __future__ import annotations

import hashlib
import re
from binascii import a2b_base64
from collections.abc import Sequence
from functools import cache, lru_cache
from hmac import HMAC, compare_digest
from hmac import new as new_hmac
from typing import TYPE_CHECKING, Final

from fastflv import limits
from fastflv.access.tokens.cache import TokenCache
from fastflv.access.tokens.grant import Grant, read_claims
from fastflv.access.tokens.key import ALGORITHMS, HS256, Key
from fastflv.access.tokens.keysource import KeySource
from fastflv.errors import TokenError

if TYPE_CHECKING:
    from jwt.algorithms import Algorithm

_FORM: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")
"Compact serialisation (RFC 7515, 7.1)."

_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_ENDINGS: Final = {0: ("", ""), 2: ("AQgw", "=="), 3: ("AEIMQUYcgkosw048", "=")}
"""By the length of base64url, modulo 4: the last characters whose bits behind the last byte are 0, and the padding that is left out.
The first has any last character."""


class UnknownKeyError(TokenError):
    """No key has the `kid` of the token: the issuer may have begun to use another one."""


class Verifier:
    """The keys of one vhost and what it demands of a token besides."""

    def __init__(
        self,
        keys: Sequence[Key],
        sources: Sequence[KeySource] = (),
        *,
        algorithms: Sequence[str] = (),
        issuer: str = "",
        audience: str = "",
        cache: TokenCache | None = None,
    ) -> None:
        """*algorithms*: those allowed; empty: each that a key has."""
        self._fixed = tuple(keys)
        self.sources = tuple(sources)
        self._algorithms = frozenset(algorithms or ALGORITHMS)
        self._issuer = issuer
        self._audience = audience
        self._cache = TokenCache() if cache is None else cache
        self._heads: dict[str, tuple[str, str]] = {}
        "Algorithm and `kid` by the encoded header."

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys of now: a set that is read again may have others than before."""
        if not self.sources:
            return self._fixed
        return (*self._fixed, *(key for source in self.sources for key in source.keys))

    def holds(self, grant: Grant) -> bool:
        """Return whether the key that has verified *grant* still counts."""
        return any(key.print == grant.key and key.algorithm in self._algorithms for key in self.keys)

    def verify(self, token: str) -> Grant:
        """Return what *token* allows. Raises TokenError, UnknownKeyError where no key has its `kid`."""
        if len(token) > limits.TOKEN_CHARS_MAX:
            raise TokenError(f"the token has more than {limits.TOKEN_CHARS_MAX} characters")
        form = _FORM.fullmatch(token)
        if form is None:
            raise TokenError("the token is no JSON Web Token")
        digest = hashlib.sha256(token.encode("ascii")).digest()
        place = (digest, self._issuer, self._audience)
        grant = self._cache.find(place)
        if grant is not None and self.holds(grant):
            return grant
        grant = self._read(form, digest)
        self._cache.add(place, grant)
        return grant

    def _read(self, form: re.Match[str], digest: bytes) -> Grant:
        algorithm, kid = self._head(form)
        if algorithm not in self._algorithms:
            raise TokenError(
                f"{algorithm} is not allowed here"
                if algorithm in ALGORITHMS
                else f"the token's algorithm is none of {', '.join(sorted(self._algorithms))}"
            )
        # A key without a name is of the configuration: the signature alone says whether it is the one.
        fitting = [
            key
            for key in self.keys
            if key.algorithm == algorithm and (not kid or not key.kid or key.kid == kid)
        ]
        signed, signature = form[0][: form.start(3) - 1].encode(), _decode(form[3])
        for key in fitting:
            if _is_signed(algorithm, key, signed, signature):
                return read_claims(
                    _decode(form[2]),
                    id=digest.hex()[:32],
                    key=key.print,
                    issuer=self._issuer,
                    audience=self._audience,
                )
        named = any(key.kid == kid for key in fitting)
        if self.sources and not named:
            raise UnknownKeyError("no key has the kid of the token, or its signature is wrong")
        raise TokenError(
            "the signature of the token is wrong" if fitting else f"no key is for {algorithm} and its kid"
        )

    def _head(self, form: re.Match[str]) -> tuple[str, str]:
        found = self._heads.get(form[1])
        if found is None:
            found = _read_head(form[0])
            if len(self._heads) >= limits.TOKEN_HEADERS_MAX:
                self._heads.clear()
            self._heads[form[1]] = found
        return found


def _read_head(token: str) -> tuple[str, str]:
    """Return algorithm and `kid` of a token whose signature is yet to be verified. Critical extensions are refused."""
    from jwt import PyJWTError, get_unverified_header

    try:
        header = get_unverified_header(token)
    except (PyJWTError, ValueError):
        raise TokenError("the token is no JSON Web Token") from None
    algorithm, kid = header.get("alg"), header.get("kid", "")
    return (algorithm if isinstance(algorithm, str) else "", kid)


def _decode(part: str) -> bytes:
    """Decode base64url without padding; bits behind the last byte have to be 0 (RFC 7515, 2). Raises TokenError."""
    last, padding = _ENDINGS.get(len(part) % 4, ("=", ""))
    if last and part[-1] not in last:
        raise TokenError("the token is no JSON Web Token")
    return a2b_base64(f"{part}{padding}".encode().translate(_STANDARD))


def _is_signed(algorithm: str, key: Key, signed: bytes, signature: bytes) -> bool:
    """Whether *signature* is that of *signed*. The library makes two objects for what is one call (RFC 7518, 3.2)."""
    if algorithm == HS256:
        made = _keyed(key.value).copy()
        made.update(signed)
        return compare_digest(made.digest(), signature)
    return _algorithm(algorithm).verify(signed, key.value, signature)


@lru_cache(maxsize=limits.TOKEN_HEADERS_MAX)
def _keyed(secret: bytes) -> HMAC:
    """Return the hash of one secret, to be copied: hashing the secret anew takes half of the time."""
    return new_hmac(secret, digestmod="sha256")


@cache
def _algorithm(name: str) -> Algorithm:
    """Return what verifies one algorithm. PyJWT's own way decodes each token anew, by character, and takes 20 us more."""
    from jwt import get_algorithm_by_name

    return get_algorithm_by_name(name)
