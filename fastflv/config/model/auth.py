"""`auth { }`: plays and publishes that need a token or a signed URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fastflv.config.grammar.section import Section, Value

ACTIONS: Final = ("publish", "play", "record")
ALGORITHMS: Final = ("HS256", "ES256", "EdDSA", "RS256")


@dataclass(frozen=True, slots=True)
class Auth:
    """`auth { }`. With it a request needs a token."""

    enabled: bool = False
    "Default off."

    apply: tuple[str, ...] = ACTIONS
    "Actions that need a proof: publish, play, record. Default all."

    key: tuple[str, ...] = field(default=(), repr=False)
    "Keys of JSON Web Tokens: secrets, or files (a word that begins with `/`, `./` or `../`). Any of them verifies."

    algorithms: tuple[str, ...] = ()
    "Algorithms that tokens may have, of HS256, ES256, EdDSA and RS256. Default: those of the keys."

    issuer: str = ""
    "What the claim `iss` has to be. Default: anything."

    audience: str = ""
    "What the claim `aud` has to hold. Default: anything."

    enforce_expiry: bool = False
    "Disconnect at the token's `exp`. Default off: what runs goes on."


def read_auth(section: Section) -> Auth:
    """Build the block; raise ConfigValueError for words that cannot be, and for a block without any key."""
    auth = section.fill(Auth)
    _check_words(section.value("apply", split=True), auth.apply, ACTIONS)
    _check_words(section.value("algorithms", split=True), auth.algorithms, ALGORITHMS)
    if auth.enabled and not auth.key:
        at = section.value("enabled")
        assert at is not None
        raise at.error(
            "is on, but there is no key",
            "write 'key SECRET|FILE;'",
        )
    return auth


def _check_words(found: Value | None, words: tuple[str, ...], known: tuple[str, ...]) -> None:
    wrong = next((word for word in words if word not in known), None)
    if wrong is not None:
        assert found is not None
        raise found.error(f"cannot be '{wrong}'", f"write some of {' '.join(known)}")
