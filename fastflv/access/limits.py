"""`limits { }`: how many clients, requests and bits a second there may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from fastflv import limits
from fastflv.access.request import AccessRequest, Action
from fastflv.access.rule import Answer, LateRule
from fastflv.access.tally import Key, Tally, key_of
from fastflv.access.tokenbucket import Buckets
from fastflv.access.verdict import ALLOW, Refusal, Refused, Verdict
from fastflv.config.model.limits import Kind, Limit, Scope


class Usage(NamedTuple):
    """What the limits of a server are compared with."""

    tally: Tally
    buckets: Buckets
    rate_of: Callable[[Key], float]
    "Bits a second that were sent lately."

    refused: Counter[str]
    "Refusals by name of the limit."


class Applied(NamedTuple):
    """One line, and whose it is."""

    limit: Limit
    vhost: str
    "Empty: of the server."


class LimitRule(LateRule):
    """The limits that count for the clients of one vhost, those of the server first. It answers at once.

    It is a late rule because it counts: a client that was admitted is not asked again. A request that one line refuses
    takes no token of another.
    """

    __slots__ = ("_lines", "_usage")

    def __init__(self, lines: Iterable[Applied], usage: Usage) -> None:
        self._lines = tuple(each for each in lines if each.limit.scope is not None)
        self._usage = usage

    def ask(self, request: AccessRequest, answer: Answer) -> Verdict:
        buckets = self._usage.buckets
        taken: list[tuple[Key, Limit]] = []
        for limit, vhost in self._lines:
            scope = limit.scope
            assert scope is not None
            if request.action is Action.RECORD or not _concerns(limit, request):
                continue
            key = key_of(vhost, limit.kind, scope, request)
            if limit.kind is Kind.REQ:
                seconds = buckets.wait(key, limit.most, limit.burst)
                if seconds > 0:
                    return self._refuse(limit, seconds)
                taken.append((key, limit))
            elif limit.kind is Kind.SEND_RATE:
                if self._usage.rate_of(key) > limit.most:
                    return self._refuse(limit, limits.LIMIT_RETRY_SECONDS)
            elif self._usage.tally.count(key, request.client_id) >= limit.most:
                return self._refuse(limit, limits.LIMIT_RETRY_SECONDS)
        for key, limit in taken:
            buckets.take(key, limit.most, limit.burst)
        return ALLOW

    def _refuse(self, limit: Limit, retry_after: float) -> Refused:
        self._usage.refused[limit.name] += 1
        kind = Refusal.TOO_MANY if limit.scope is Scope.IP else Refusal.FULL
        return Refused(kind, f"limits '{limit}' is reached", retry_after)


def _concerns(limit: Limit, request: AccessRequest) -> bool:
    if limit.kind is Kind.PUBLISH:
        return request.action is Action.PUBLISH
    return limit.kind is not Kind.SEND_RATE or request.action is Action.PLAY
