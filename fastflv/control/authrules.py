"""`auth { }` of a vhost, compiled to its rule: keys are read here, and refused with the line that names them."""

from __future__ import annotations

from fastflv.access.auth import AuthRule
from fastflv.access.rule import Rule
from fastflv.access.tokens.grant import ACTIONS
from fastflv.access.tokens.key import Key, KeyFault, read_key
from fastflv.access.tokens.store import TokenStore
from fastflv.access.tokens.verifier import Verifier
from fastflv.config.grammar.section import Section
from fastflv.config.model.auth import Auth
from fastflv.config.model.vhost import Vhost
from fastflv.errors import ConfigValueError


def auth_rules(vhost: Vhost, store: TokenStore, folder: str) -> tuple[Rule, ...]:
    """Return the rule of a vhost's `auth`; none where it is off. *folder*: where paths of key files start.

    Raises ConfigValueError for a key that cannot be used.
    """
    auth = vhost.auth
    if not auth.enabled or not vhost.enabled:
        return ()
    assert vhost.source is not None
    section = vhost.source.sub("auth")
    verifier = Verifier(
        _keys(auth, section, folder),
        algorithms=auth.algorithms,
        issuer=auth.issuer,
        audience=auth.audience,
        cache=store.cache,
    )
    actions = (ACTIONS[word] for word in auth.apply)
    return (AuthRule(actions, store, verifier, enforce_expiry=auth.enforce_expiry),)


def _keys(auth: Auth, section: Section, folder: str) -> tuple[Key, ...]:
    keys = []
    for word in auth.key:
        try:
            key = read_key(word, folder)
        except KeyFault as fault:
            raise _error(section, "key", fault.detail, fault.hint) from None
        if auth.algorithms and key.algorithm not in auth.algorithms:
            raise _error(
                section,
                "algorithms",
                f"leaves out {key.algorithm}, which a key is for",
                f"add {key.algorithm}, or remove the key",
            )
        keys.append(key)
    return tuple(keys)


def _error(section: Section, name: str, detail: str, hint: str) -> ConfigValueError:
    at = section.value(name)
    assert at is not None
    return at.error(detail if name == "algorithms" else f"cannot be used: {detail}", hint)
