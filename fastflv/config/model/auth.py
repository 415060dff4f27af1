"""`auth { }`: plays and publishes that need a token or a signed URL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from fastflv import limits
from fastflv.config.grammar.section import Section, Value, bounded

ACTIONS: Final = ("publish", "play", "record")
ALIYUN_FORMS: Final = ("A", "B", "C")
ALGORITHMS: Final = ("HS256", "ES256", "EdDSA", "RS256")


@dataclass(frozen=True, slots=True)
class Signing:
    """One `tencent` or `aliyun`: keys that sign the URLs of one action."""

    action: str
    "publish or play. One key for both would let a player publish: the signature names no action."

    keys: tuple[str, ...] = field(repr=False)
    "Any of them verifies."

    form: str = ""
    "Of Aliyun: A, B or C."

    def __str__(self) -> str:
        return " ".join(filter(None, (self.form, self.action)))


@dataclass(frozen=True, slots=True)
class Auth:
    """`auth { }`. With keys of several kinds, a request needs one proof."""

    enabled: bool = False
    "Default off."

    apply: tuple[str, ...] = ACTIONS
    "Actions that need a proof: publish, play, record. Default all."

    key: tuple[str, ...] = field(default=(), repr=False)
    "Keys of JSON Web Tokens: secrets, or files (a word that begins with `/`, `./` or `../`). Any of them verifies."

    jwks: tuple[str, ...] = ()
    "JWK sets: files, or http and https URLs."

    algorithms: tuple[str, ...] = ()
    "Algorithms that tokens may have, of HS256, ES256, EdDSA and RS256. Default: those of the keys."

    issuer: str = ""
    "What the claim `iss` has to be. Default: anything."

    audience: str = ""
    "What the claim `aud` has to hold. Default: anything."

    enforce_expiry: bool = False
    "Disconnect at the token's `exp`. Default off: what runs goes on."

    tencent: tuple[Signing, ...] = field(default=(), repr=False)
    "URLs with `txSecret` and `txTime`."

    aliyun: tuple[Signing, ...] = field(default=(), repr=False)
    "URLs with `auth_key`, or a signature in the path; all of one form."

    cdn_ttl: int = bounded(0, 0, limits.SIGNED_TTL_SECONDS_MAX)
    "Time that a signed URL is good beyond the time that stands in it, seconds. Default 0."

    @property
    def aliyun_form(self) -> str:
        """A, B or C; empty without `aliyun`."""
        return self.aliyun[0].form if self.aliyun else ""

    def proves(self, action: str) -> bool:
        """Return whether there is a key for *action*."""
        return bool(self.key or self.jwks) or any(
            each.action == action for each in (*self.tencent, *self.aliyun)
        )


def read_auth(section: Section) -> Auth:
    """Build the block. A word that cannot be is a problem, and so is an action that no key can prove."""
    tencent = _read_each(section, "tencent", lambda each: _read_signing(each, each.words, "tencent"))
    aliyun = _read_each(section, "aliyun", _read_aliyun)
    auth = section.fill(
        Auth, key=_words(section, "key"), jwks=_words(section, "jwks"), tencent=tencent, aliyun=aliyun
    )
    _check_words(section, "apply", ACTIONS)
    _check_words(section, "algorithms", ALGORITHMS)
    if auth.enabled:
        _check_proofs(section, auth)
    forms = dict.fromkeys(each.form for each in aliyun)
    if len(forms) > 1:
        other = section.values("aliyun", split=True)[[each.form for each in aliyun].index(list(forms)[1])]
        section.problems.add(other.error("has two forms", "write one form for all of a vhost"))
    return auth


def _check_proofs(section: Section, auth: Auth) -> None:
    """Find actions that nobody could ever prove. `record` may be closed: it is so by default, beside CDN keys."""
    written = (*section.values("tencent", split=True), *section.values("aliyun", split=True))
    actions = [action for action in auth.apply if action in ("publish", "play") and not auth.proves(action)]
    # A key that cannot be read is a problem of its own.
    if not actions or any(section.problems.at(each) for each in written):
        return
    at = section.value("apply") or section.value("enabled")
    assert at is not None
    section.problems.add(
        at.error(
            f"wants a proof of {' and '.join(map(repr, actions))}, but there is no key for it",
            "write 'key SECRET|FILE;' or 'jwks FILE|URL;' for tokens,"
            f" 'tencent {actions[0]} KEY;' or 'aliyun A {actions[0]} KEY;' for signed URLs",
        )
    )


def _read_each(section: Section, name: str, read: Callable[[Value], Signing]) -> tuple[Signing, ...]:
    """Read all statements *name*; what is wrong with one is a problem, and it is left out."""
    found = (section.problems.attempt(partial(read, each), None) for each in section.values(name, split=True))
    return tuple(each for each in found if each is not None)


def _read_aliyun(found: Value) -> Signing:
    form, *words = found.words
    if form.upper() not in ALIYUN_FORMS:
        raise found.error("names no form", "write 'aliyun A|B|C publish|play KEY;'")
    return _read_signing(found, tuple(words), f"aliyun {form.upper()}", form.upper())


def _read_signing(found: Value, words: tuple[str, ...], name: str, form: str = "") -> Signing:
    if len(words) < 2 or words[0] not in ("publish", "play"):
        raise found.error("names no action and key", f"write '{name} publish|play KEY;'")
    return Signing(words[0], words[1:], form)


def _words(section: Section, name: str) -> tuple[str, ...]:
    """Return the words of all statements *name*."""
    return tuple(word for each in section.values(name, split=True) for word in each.words)


def _check_words(section: Section, name: str, known: tuple[str, ...]) -> None:
    found = section.value(name, split=True)
    for index, word in enumerate(found.words if found else ()):
        if found and word not in known:
            section.problems.add(
                found.error(f"cannot be '{word}'", f"write some of {' '.join(known)}", word=index)
            )
