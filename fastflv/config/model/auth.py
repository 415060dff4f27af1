"""`auth { }`: plays and publishes that need a token or a signed URL."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """Build the block; raise ConfigValueError for words that cannot be, and for an action that no key can prove."""
    aliyun = tuple(_read_aliyun(each) for each in section.values("aliyun", split=True))
    auth = section.fill(
        Auth,
        key=_words(section, "key"),
        jwks=_words(section, "jwks"),
        tencent=tuple(
            _read_signing(each, each.words, "tencent") for each in section.values("tencent", split=True)
        ),
        aliyun=aliyun,
    )
    _check_words(section.value("apply", split=True), auth.apply, ACTIONS)
    _check_words(section.value("algorithms", split=True), auth.algorithms, ALGORITHMS)
    if auth.enabled:
        _check_proofs(section, auth)
    if len({each.form for each in aliyun}) > 1:
        at = section.value("aliyun")
        assert at is not None
        raise at.error("has two forms", "write one form for all of a vhost")
    return auth


def _check_proofs(section: Section, auth: Auth) -> None:
    """Raise where nobody could ever publish or play. `record` may be closed: it is so by default, beside CDN keys."""
    for action in auth.apply:
        if action != "record" and not auth.proves(action):
            at = section.value("apply") or section.value("enabled")
            assert at is not None
            raise at.error(
                f"wants a proof of '{action}', but there is no key for it",
                "write 'key SECRET|FILE;' or 'jwks FILE|URL;' for tokens,"
                f" 'tencent {action} KEY;' or 'aliyun A {action} KEY;' for signed URLs",
            )


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


def _check_words(found: Value | None, words: tuple[str, ...], known: tuple[str, ...]) -> None:
    wrong = next((word for word in words if word not in known), None)
    if wrong is not None:
        assert found is not None
        raise found.error(f"cannot be '{wrong}'", f"write some of {' '.join(known)}")
