"""`auth { }`: requests that need a token, or a URL that was signed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastflv.access.query import query_value
from fastflv.access.request import AccessRequest, Action
from fastflv.access.rule import Answer, LateRule, Waiting
from fastflv.access.signedurl import Signer
from fastflv.access.tokens.grant import Grant, check_grant, check_times
from fastflv.access.tokens.keysource import KeySource
from fastflv.access.tokens.store import TokenStore
from fastflv.access.tokens.verifier import UnknownKeyError, Verifier
from fastflv.access.verdict import ALLOW, Allowed, Refusal, Refused, Verdict, forbid
from fastflv.errors import TokenError

TOKEN = "token"
"Parameter of a token in the query."


class AuthRule(LateRule):
    """Requests of the actions named by `apply` need a token that covers them, or a URL that a signer has signed.

    Without any proof the client is unauthorised, so that it may come back with one. A proof that is wrong forbids.
    """

    __slots__ = ("_actions", "_admitted", "_signers", "_store", "_verifier", "enforce_expiry")

    def __init__(
        self,
        actions: Iterable[Action],
        store: TokenStore,
        verifier: Verifier | None,
        signers: Sequence[Signer] = (),
        *,
        enforce_expiry: bool = False,
    ) -> None:
        """*verifier* None: tokens prove nothing. *enforce_expiry*: a client has to go when its proof expires."""
        self._actions = frozenset(actions)
        self._store = store
        self._verifier = verifier
        self._signers = tuple(signers)
        self._admitted: tuple[AccessRequest, Grant] | None = None
        "The request that was admitted last, until `granted` is asked about it: most join at once."
        self.enforce_expiry = enforce_expiry

    def ask(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        try:
            return self._admit(request)
        except UnknownKeyError as error:
            renewal = _Renewal(self, request, answer)
            return renewal if renewal.begin(self.sources) else forbid(error.detail)
        except TokenError as error:
            return forbid(error.detail)

    def recheck(self, request: AccessRequest) -> Verdict:
        """A client keeps what it was given as long as a present key has signed it and nobody has taken it back.

        Its end does not count, unless enforced.
        """
        try:
            grant = self._find(request)
            if not isinstance(grant, Grant):
                return grant
            self._check(request, grant)
            if self.enforce_expiry:
                check_times(grant, self._store.clock())
        except UnknownKeyError as error:
            # A set that could not be fetched yet says nothing about its keys.
            return forbid(error.detail) if all(source.read for source in self.sources) else ALLOW
        except TokenError as error:
            return forbid(error.detail)
        return ALLOW

    def preview(self, request: AccessRequest) -> Verdict:
        """Judge as a client that comes, but count no use: one that is full has room again later."""
        try:
            grant = self._find(request)
            if not isinstance(grant, Grant):
                return grant
            self._check(request, grant)
            check_times(grant, self._store.clock())
        except TokenError as error:
            return forbid(error.detail)
        return ALLOW

    def granted(self, request: AccessRequest) -> Grant | None:
        """Return what the proof of an admitted *request* allows; None where it needs none, or the key is gone."""
        admitted, self._admitted = self._admitted, None
        if admitted is not None and admitted[0] is request:
            return admitted[1]
        try:
            grant = self._find(request)
        except TokenError:
            return None
        return grant if isinstance(grant, Grant) else None

    @property
    def sources(self) -> tuple[KeySource, ...]:
        """Sets of keys that change by themselves."""
        return self._verifier.sources if self._verifier is not None else ()

    def _admit(self, request: AccessRequest) -> Verdict:
        """Judge a client that comes. Raises TokenError."""
        grant = self._find(request)
        if not isinstance(grant, Grant):
            return grant
        self._check(request, grant)
        check_times(grant, self._store.clock())
        if not self._store.uses.take(grant, request.client_id):
            return forbid(f"the token is in use {grant.max} times already")
        self._admitted = request, grant
        return ALLOW

    def _check(self, request: AccessRequest, grant: Grant) -> None:
        check_grant(grant, request)
        if self._is_revoked(request, grant):
            raise TokenError(f"the {grant.kind} was revoked")

    def _is_revoked(self, request: AccessRequest, grant: Grant) -> bool:
        return self._store.revocations.find(grant, request.app_stream, self._store.clock()) is not None

    def _find(self, request: AccessRequest) -> Grant | Allowed | Refused:
        """Return what the proof of *request* allows; a verdict where it needs none, or has none. Raises TokenError."""
        if request.action not in self._actions:
            return ALLOW
        token = token_of(request) if self._verifier is not None else ""
        if token:
            assert self._verifier is not None
            return self._verifier.verify(token)
        for signer in self._signers:
            grant = signer.grant(request)
            if grant is not None:
                return grant
        what = "a token" if self._verifier is not None else "a signed URL"
        return Refused(Refusal.UNAUTHORIZED, f"'{request.action.value}' needs {what}")


class _Renewal:
    """A request whose token names a key that may be in the next version of a set."""

    __slots__ = ("_answer", "_left", "_request", "_rule", "_waiting")

    def __init__(self, rule: AuthRule, request: AccessRequest, answer: Answer) -> None:
        self._rule = rule
        self._request = request
        self._answer = answer
        self._waiting: list[Waiting] = []
        self._left = 0

    def begin(self, sources: Iterable[KeySource]) -> bool:
        """Read the sets again; False where all of them were read a moment ago."""
        for source in sources:
            waiting = source.renew(self._read)
            if waiting is not None:
                self._waiting.append(waiting)
                self._left += 1
        return bool(self._waiting)

    def cancel(self) -> None:
        for waiting in self._waiting:
            waiting.cancel()
        self._waiting.clear()

    def _read(self) -> None:
        """One more set was read."""
        self._left -= 1
        if self._left:
            return
        try:
            verdict = self._rule._admit(self._request)
        except TokenError as error:
            verdict = forbid(error.detail)
        self._answer(verdict)


def token_of(request: AccessRequest) -> str:
    """Return the token of *request*: `?token=`, else that of `Authorization: Bearer`; empty without one."""
    return query_value(request.param, TOKEN) or request.bearer
