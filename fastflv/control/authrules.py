"""`auth { }` of a vhost, compiled to its rule: keys are read here, and refused with the line that names them."""

from __future__ import annotations

import os
from importlib.util import find_spec

from fastflv import limits
from fastflv.access.auth import AuthRule
from fastflv.access.signedurl import AliyunSigner, Signer, TencentSigner
from fastflv.access.tokens.grant import ACTIONS
from fastflv.access.tokens.key import HS256, INSTALL, Key, KeyFault, read_file, read_key, read_set
from fastflv.access.tokens.keysource import KeySource
from fastflv.access.tokens.store import TokenStore
from fastflv.access.tokens.verifier import Verifier
from fastflv.config.grammar.section import Section
from fastflv.config.model.auth import Auth
from fastflv.config.model.vhost import Vhost
from fastflv.errors import ConfigValueError


def auth_rule(vhost: Vhost, store: TokenStore, folder: str) -> AuthRule | None:
    """Return the rule of a vhost's `auth`; None where it is off. *folder*: where paths of key files start.

    Raises ConfigValueError for a key that cannot be used.
    """
    auth = vhost.auth
    if not auth.enabled or not vhost.enabled:
        return None
    assert vhost.source is not None
    section = vhost.source.sub("auth")
    verifier = None
    if auth.key or auth.jwks:
        _check_libraries(auth, section)
        verifier = Verifier(
            _keys(auth, section, folder),
            _sources(auth, section, store, folder),
            algorithms=auth.algorithms,
            issuer=auth.issuer,
            audience=auth.audience,
            cache=store.cache,
        )
    actions = (ACTIONS[word] for word in auth.apply)
    return AuthRule(actions, store, verifier, _signers(auth), enforce_expiry=auth.enforce_expiry)


def is_url(place: str) -> bool:
    """Return whether a word of `jwks` is a URL and no file."""
    return place.startswith(("http://", "https://"))


def _signers(auth: Auth) -> list[Signer]:
    tencent = (TencentSigner(ACTIONS[each.action], each.keys, auth.cdn_ttl) for each in auth.tencent)
    aliyun = (AliyunSigner(each.form, ACTIONS[each.action], each.keys, auth.cdn_ttl) for each in auth.aliyun)
    return [*tencent, *aliyun]


def _keys(auth: Auth, section: Section, folder: str) -> tuple[Key, ...]:
    keys = []
    for word in auth.key:
        try:
            key = read_key(word, folder)
        except KeyFault as fault:
            raise _error(section, "key", f"cannot be used: {fault.detail}", fault.hint) from None
        _check_algorithm(auth, section, key)
        keys.append(key)
    if len(keys) > limits.TOKEN_KEYS_MAX:
        raise _error(section, "key", f"has more than {limits.TOKEN_KEYS_MAX} keys", "remove old ones")
    return tuple(keys)


def _sources(auth: Auth, section: Section, store: TokenStore, folder: str) -> list[KeySource]:
    sources = []
    for place in auth.jwks:
        keys: tuple[Key, ...] = ()
        if not is_url(place):
            place = os.path.join(folder, place)
            try:
                keys = read_set(read_file(place, limits.JWKS_BYTES_MAX), place)
            except KeyFault as fault:
                raise _error(section, "jwks", f"cannot be used: {fault.detail}", fault.hint) from None
        sources.append(store.source_of(place, keys))
    return sources


def _check_algorithm(auth: Auth, section: Section, key: Key) -> None:
    if auth.algorithms and key.algorithm not in auth.algorithms:
        raise _error(
            section,
            "algorithms",
            f"leaves out {key.algorithm}, which a key is for",
            f"add {key.algorithm}, or remove the key",
        )


def _check_libraries(auth: Auth, section: Section) -> None:
    """Raise where a package that the keys will need is not installed."""
    urls = any(map(is_url, auth.jwks))
    if find_spec("cryptography") is None and (urls or any(each != HS256 for each in auth.algorithms)):
        name = "jwks" if urls else "algorithms"
        raise _error(section, name, "needs the package cryptography", INSTALL)


def _error(section: Section, name: str, detail: str, hint: str) -> ConfigValueError:
    at = section.value(name)
    assert at is not None
    return at.error(detail, hint)
