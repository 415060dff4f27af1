"""`auth { }` of a vhost, compiled to its rule: keys are read here, and refused with the line that names them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec

from fastflv import limits
from fastflv.access.auth import AuthRule
from fastflv.access.signedurl import AliyunSigner, Signer, TencentSigner
from fastflv.access.tokens.grant import ACTIONS
from fastflv.access.tokens.key import HS256, INSTALL, Key, KeyFault, read_file, read_key, read_set
from fastflv.access.tokens.keysource import KeySource
from fastflv.access.tokens.store import TokenStore
from fastflv.access.tokens.verifier import Verifier
from fastflv.config.grammar.problems import Problems
from fastflv.config.grammar.section import Section, Value
from fastflv.config.masking import masked
from fastflv.config.model.auth import Auth
from fastflv.config.model.vhost import Vhost
from fastflv.errors import ConfigValueError
from fastflv.net.httpclient import url_fault


def auth_rule(vhost: Vhost, store: TokenStore, folder: str, problems: Problems) -> AuthRule:
    """Return the rule of a vhost's `auth`, which is on. *folder*: where paths of key files start.

    *problems* is given each key that cannot be used.
    """
    auth = vhost.auth
    assert vhost.source is not None
    section = vhost.source.sub("auth")
    verifier = None
    if auth.key or auth.jwks:
        with problems.collected():
            _check_libraries(auth, section)
        verifier = Verifier(
            _keys(auth, section, folder, problems),
            _sources(section, store, folder, problems),
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


def _keys(auth: Auth, section: Section, folder: str, problems: Problems) -> tuple[Key, ...]:
    keys = []
    for at, index in _words(section, "key"):
        try:
            key = read_key(at.words[index], folder)
        except KeyFault as fault:
            problems.add(at.error(f"cannot be used: {fault.detail}", fault.hint, word=index))
            continue
        with problems.collected():
            _check_algorithm(auth, section, key)
        keys.append(key)
    if len(auth.key) > limits.TOKEN_KEYS_MAX:
        problems.add(_error(section, "key", f"has more than {limits.TOKEN_KEYS_MAX} keys", "remove old ones"))
    return tuple(keys)


def _sources(section: Section, store: TokenStore, folder: str, problems: Problems) -> list[KeySource]:
    sources = []
    for at, index in _words(section, "jwks"):
        place = at.words[index]
        keys: tuple[Key, ...] = ()
        if is_url(place):
            fault = url_fault(place)
            if fault:
                problems.add(
                    at.error(f"'{masked(place)}' {fault}", "write the whole URL of the set", word=index)
                )
                continue
        else:
            place = os.path.join(folder, place)
            try:
                keys = read_set(read_file(place, limits.JWKS_BYTES_MAX), place)
            except KeyFault as fault:
                problems.add(at.error(f"cannot be used: {fault.detail}", fault.hint, word=index))
                continue
        sources.append(store.source_of(place, keys))
    return sources


def _words(section: Section, name: str) -> Iterator[tuple[Value, int]]:
    """Each word of the statements *name*, as the statement and the index of the word."""
    for each in section.values(name, split=True):
        yield from ((each, index) for index in range(len(each.words)))


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
