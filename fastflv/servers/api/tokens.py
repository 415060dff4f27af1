"""`/api/v1/tokens/revoke`: tokens that are taken back before their end, and the list of them."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterable
from typing import Final

from fastflv import limits
from fastflv.access.tokens.revocations import Revocation
from fastflv.access.tokens.store import TokenStore
from fastflv.errors import UsageError
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.api.operation import Call, Fields, Operation, Parameter, always
from fastflv.servers.api.paging import PAGE, rows_of
from fastflv.servers.api.schema import COUNT, TEXT, about, nullable, record

log = logging.getLogger(__name__)

JTI: Final = Parameter("jti", {**TEXT, "maxLength": limits.TOKEN_ID_CHARS_MAX}, "Name of one token.")
PATH: Final = Parameter(
    "path",
    {**TEXT, "maxLength": limits.NAME_CHARS_MAX},
    "Streams at and below it, as live/x, live or /: all their tokens that were issued before.",
)
EXP: Final = Parameter(
    "exp",
    {**COUNT, "maximum": limits.TOKEN_TIME_MAX},
    "When the last of these tokens expires, seconds since 1970: it is forgotten then. Without it, never.",
)
REVOCATION: Final = record(
    {
        "jti": about(TEXT, "Empty where a path is revoked."),
        "path": about(TEXT, "Without slashes at its ends; empty for a jti, and for all streams."),
        "revoked": about(COUNT, "When, seconds since 1970."),
        "exp": about(nullable(COUNT), "When it is forgotten, seconds since 1970; null: never."),
    }
)
BAD: Final = {400: "neither a jti nor a path is given, or both, or one that cannot be"}


class TokenRows:
    """The operations on tokens."""

    def __init__(self, store: TokenStore, drop_revoked: Callable[[Revocation], int]) -> None:
        """*drop_revoked* disconnects those who came by a token that is taken back, and returns how many."""
        self._store = store
        self._drop_revoked = drop_revoked

    def operations(self) -> Iterable[Operation]:
        return (
            Operation(
                "GET",
                "/api/v1/tokens/revoke",
                "the tokens that are revoked, the oldest first",
                self._list,
                record({"revoked": {"type": "array", "items": REVOCATION}, "total": COUNT}),
                PAGE,
                private=always,
            ),
            Operation(
                "POST",
                "/api/v1/tokens/revoke",
                "take a token back, or all tokens of a path, and disconnect who came by them",
                self._revoke,
                record({"revoked": REVOCATION, "dropped": about(COUNT, "Clients that are disconnected.")}),
                (JTI, PATH, EXP),
                statuses={**BAD, 503: "as many revocations are kept as there is room for"},
                private=always,
            ),
            Operation(
                "DELETE",
                "/api/v1/tokens/revoke",
                "let a token, or the tokens of a path, count again",
                self._lift,
                record({}),
                (JTI, PATH),
                statuses={**BAD, 404: "it is not revoked"},
                private=always,
            ),
        )

    def _list(self, call: Call) -> Fields:
        revocations = self._store.revocations
        revocations.forget(self._store.clock())
        rows = rows_of(call.request, revocations)
        return {"revoked": [_row(each) for each in rows], "total": len(revocations)}

    def _revoke(self, call: Call) -> Fields | Response:
        found = _subject(call.request)
        until = _end(call.request)
        if found is None or until is None:
            return _bad()
        jti, path = found
        try:
            made = self._store.revocations.add(self._store.clock(), jti=jti, path=path, until=until)
        except UsageError as error:
            return Response.of_text(503, error.detail)
        dropped = self._drop_revoked(made)
        _tell(call.request, "revokes", jti, path, f"; {dropped} clients are disconnected")
        return {"revoked": _row(made), "dropped": dropped}

    def _lift(self, call: Call) -> Fields | Response:
        found = _subject(call.request)
        if found is None:
            return _bad()
        jti, path = found
        if not self._store.revocations.lift(jti=jti, path=path):
            return Response.of_text(404, "it is not revoked")
        _tell(call.request, "lets count again", jti, path, "")
        return {}


def _subject(request: Request) -> tuple[str, str] | None:
    """Return jti and path, one of them given; None where that cannot be."""
    jti, path = request.args.get("jti"), request.args.get("path")
    if (jti is None) == (path is None):
        return None
    if jti is not None:
        return (jti, "") if 0 < len(jti) <= limits.TOKEN_ID_CHARS_MAX else None
    assert path is not None
    # An empty path would be all streams: whoever means that writes a slash.
    return ("", path) if 0 < len(path) <= limits.NAME_CHARS_MAX else None


def _end(request: Request) -> float | None:
    """Return `exp`, infinite without one; None where it is no time."""
    text = request.args.get("exp")
    if text is None:
        return math.inf
    if not re.fullmatch("[0-9]{1,12}", text) or int(text) > limits.TOKEN_TIME_MAX:
        return None
    # The clock of who signed may be behind.
    return int(text) + limits.TOKEN_LEEWAY_SECONDS


def _bad() -> Response:
    return Response.of_text(
        400, "give one of jti and path, as ?jti=NAME or ?path=live/x, and exp in seconds since 1970"
    )


def _row(revocation: Revocation) -> dict[str, object]:
    until = revocation.until
    return {
        "jti": revocation.jti,
        "path": revocation.path,
        "revoked": int(revocation.revoked),
        "exp": int(until - limits.TOKEN_LEEWAY_SECONDS) if until < math.inf else None,
    }


def _tell(request: Request, what: str, jti: str, path: str, more: str) -> None:
    subject = f"the token {jti}" if jti else f"all tokens of /{path.strip('/')} that were issued before"
    log.info("api: %s %s %s%s", request.ip, what, subject, more, extra=request.peer.marks)
