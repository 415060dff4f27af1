"""What a token allows: its claims, read strictly. A claim that cannot be understood refuses, it never widens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from fastflv import limits
from fastflv.access.request import AccessRequest, Action
from fastflv.errors import TokenError
from fastflv.net.networkset import NetworkSet

ACTIONS: Final = {action.value: action for action in Action}
_DECODER: Final = json.JSONDecoder()
_ALONE: Final = {word: frozenset({action}) for word, action in ACTIONS.items()}


class Grant(NamedTuple):
    """The claims of one verified token. A frozen dataclass is made in thrice the time."""

    id: str
    "`jti`; without one the hash of the token. Uses are counted, and tokens revoked, by it."

    path: str
    "Streams that it is for, without slashes at its ends: `live/x`, all of `live`, or all where it is empty."

    actions: frozenset[Action]

    networks: NetworkSet | None
    "Addresses that may use it; None: any."

    max: int
    "Simultaneous uses; 0: any number."

    issued: float
    "`iat`, seconds since 1970; 0 without one."

    begins: float
    "`nbf`, seconds since 1970; 0 without one."

    expires: float
    "`exp`, seconds since 1970."

    key: str
    "Hash of the key that has verified it."

    kind: str = "token"
    "What it is called in reasons."


def read_claims(payload: bytes, *, id: str, key: str, issuer: str = "", audience: str = "") -> Grant:
    """Return what the claims in *payload* allow. *id*: hash of the token.

    *issuer*, *audience*: what `iss` and `aud` have to be, where they are given. Raises TokenError.
    """
    claims = _value(payload)
    if not isinstance(claims, dict):
        raise TokenError("the token holds no claims")
    if issuer and claims.get("iss") != issuer:
        raise TokenError("the token is of another issuer")
    if audience and audience not in _words(claims, "aud"):
        raise TokenError("the token is for another audience")
    return Grant(
        id=_id(claims) or id,
        path=_text(claims, "path").strip("/"),
        actions=_actions(claims),
        networks=_networks(claims),
        max=_max(claims),
        issued=_time(claims, "iat") if "iat" in claims else 0,
        begins=_time(claims, "nbf") if "nbf" in claims else 0,
        expires=_time(claims, "exp"),
        key=key,
    )


def _value(payload: bytes) -> Any:
    """Return the JSON value in *payload*, which is UTF-8 (RFC 7519, 3); None for anything else."""
    try:
        text = payload.decode()
        if text.startswith("{"):
            # `loads` looks for white space at both ends first, which takes as long; issuers write none.
            value, end = _DECODER.raw_decode(text)
            if end == len(text):
                return value
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def check_grant(grant: Grant, request: AccessRequest) -> None:
    """Raise TokenError unless *grant* covers the action, the stream and the address of *request*."""
    if request.action not in grant.actions:
        raise TokenError(f"the token is not for '{request.action.value}'")
    if not covers(grant.path, request.app_stream):
        raise TokenError(f"the token is for '{grant.path}'")
    if grant.networks is not None and request.peer.ip not in grant.networks:
        raise TokenError(f"the token is not for the address {request.peer.ip or 'of a local socket'}")


def check_times(grant: Grant, now: float) -> None:
    """Raise TokenError outside of the times of *grant*, by the clock of 1970 in seconds."""
    if now < grant.begins - limits.TOKEN_LEEWAY_SECONDS:
        raise TokenError(f"the {grant.kind} is valid in {grant.begins - now:.0f} s only")
    if now >= grant.expires + limits.TOKEN_LEEWAY_SECONDS:
        raise TokenError(f"the {grant.kind} expired {now - grant.expires:.0f} s ago")


def covers(prefix: str, path: str) -> bool:
    """Return whether *path* is *prefix* or lies below it: `live/x` covers `live/x`, and not `live/xy`."""
    return not prefix or path == prefix or path.startswith(f"{prefix}/")


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise TokenError(f"the token has no {name}" if value is None else f"the token's {name} is no text")
    return value


def _words(claims: Mapping[str, Any], name: str) -> list[str]:
    """Return the words of a claim that is a text or a list of them."""
    value = claims.get(name)
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise TokenError(
            f"the token has no {name}" if value is None else f"the token's {name} is no list of texts"
        )
    return words


def _actions(claims: Mapping[str, Any]) -> frozenset[Action]:
    word = claims.get("action")
    if isinstance(word, str) and word in _ALONE:
        return _ALONE[word]
    words = _words(claims, "action")
    if not ACTIONS.keys() >= set(words):
        raise TokenError(f"the token has an action that is none of {', '.join(ACTIONS)}")
    return frozenset(ACTIONS[word] for word in words)


def _networks(claims: Mapping[str, Any]) -> NetworkSet | None:
    if "ip" not in claims:
        return None
    words = _words(claims, "ip")
    if len(words) > limits.TOKEN_NETWORKS_MAX:
        raise TokenError(f"the token's ip has more than {limits.TOKEN_NETWORKS_MAX} addresses")
    try:
        return NetworkSet(words)
    except ValueError:
        raise TokenError("the token's ip is no address or network") from None


def _max(claims: Mapping[str, Any]) -> int:
    if "max" not in claims:
        return 0
    value = claims["max"]
    if type(value) is not int or not 1 <= value <= limits.TOKEN_USES_MAX:
        raise TokenError("the token's max is no number of uses")
    return value


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    # NaN is outside too, since it compares with nothing.
    if type(value) not in (int, float) or not 0 <= value <= limits.TOKEN_TIME_MAX:  # type: ignore[operator]
        raise TokenError(f"the token has no {name} in seconds since 1970")
    return float(value)  # type: ignore[arg-type]


def _id(claims: Mapping[str, Any]) -> str:
    if "jti" not in claims:
        return ""
    value = _text(claims, "jti")
    if not 0 < len(value) <= limits.TOKEN_ID_CHARS_MAX:
        raise TokenError(f"the token's jti has not 1 to {limits.TOKEN_ID_CHARS_MAX} characters")
    return value
