"""`auth { }`: requests that need a token."""

from __future__ import annotations

from collections.abc import Iterable

from fastflv.access.query import query_value
from fastflv.access.request import AccessRequest, Action
from fastflv.access.rule import Answer, LateRule, Waiting
from fastflv.access.tokens.grant import Grant, check_grant, check_times
from fastflv.access.tokens.store import TokenStore
from fastflv.access.tokens.verifier import Verifier
from fastflv.access.verdict import ALLOW, Refusal, Refused, Verdict, forbid
from fastflv.errors import TokenError

TOKEN = "token"
"Parameter of a token in the query."


class AuthRule(LateRule):
    """Requests of the actions named by `apply` need a token that covers them.

    Without any token the client is unauthorised, so that it may come back with one. A token that is wrong forbids.
    """

    __slots__ = ("_actions", "_enforce", "_store", "_verifier")

    def __init__(
        self,
        actions: Iterable[Action],
        store: TokenStore,
        verifier: Verifier,
        *,
        enforce_expiry: bool = False,
    ) -> None:
        """*enforce_expiry*: a client that was admitted has to go when its token expires."""
        self._actions = frozenset(actions)
        self._store = store
        self._verifier = verifier
        self._enforce = enforce_expiry

    def ask(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        if request.action not in self._actions:
            return ALLOW
        return self._judge(request, fresh=True)

    def recheck(self, request: AccessRequest) -> Verdict:
        """A client keeps what it was given as long as a present key has signed it. Its `exp` does not count, unless enforced."""
        if request.action not in self._actions:
            return ALLOW
        return self._judge(request, fresh=self._enforce)

    def _judge(self, request: AccessRequest, *, fresh: bool) -> Verdict:
        try:
            grant = self._grant(request)
            if grant is None:
                return Refused(Refusal.UNAUTHORIZED, f"'{request.action.value}' needs a token")
            check_grant(grant, request)
            if fresh:
                check_times(grant, self._store.clock())
        except TokenError as error:
            return forbid(error.detail)
        return ALLOW

    def _grant(self, request: AccessRequest) -> Grant | None:
        token = token_of(request)
        return self._verifier.verify(token) if token else None


def token_of(request: AccessRequest) -> str:
    """Return the token of *request*: `?token=`, else that of `Authorization: Bearer`; empty without one."""
    return query_value(request.param, TOKEN) or request.bearer
