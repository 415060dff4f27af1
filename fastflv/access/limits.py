"""`limits { }`: how many clients, requests and bits a second there may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from fastflv import limits
from fastflv.access.request import AccessRequest, Action
from fastflv.access.rule import Answer, LateRule
from fastflv.access.tally import Counted, Key, Tally, key_of
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
    """Limits that count for the clients of one vhost, those of the server first. It answers at once.

    It is a late rule because it counts: a client that was admitted is not asked again. A request that one line refuses
    takes no token of another of this rule.
    """

    __slots__ = ("_play", "_publish", "_usage")

    def __init__(self, lines: Iterable[Applied], usage: Usage) -> None:
        known = [
            (limit, Counted.of(vhost, limit.kind, limit.scope))
            for limit, vhost in lines
            if limit.scope is not None and limit.kind is not Kind.ACCEPT
        ]
        self._play = tuple(each for each in known if each[0].kind is not Kind.PUBLISH)
        self._publish = tuple(each for each in known if each[0].kind is not Kind.SEND_RATE)
        self._usage = usage

    def ask(self, request: AccessRequest, answer: Answer) -> Verdict:
        if request.action is Action.RECORD:
            return ALLOW
        usage = self._usage
        taken: list[tuple[Key, Limit]] = []
        for limit, counted in self._play if request.action is Action.PLAY else self._publish:
            key = key_of(counted, request)
            if limit.kind is Kind.REQ:
                seconds = usage.buckets.wait(key, limit.most, limit.burst)
                if seconds > 0:
                    return self._refuse(limit, seconds)
                taken.append((key, limit))
            elif limit.kind is Kind.SEND_RATE:
                if usage.rate_of(key) > limit.most:
                    return self._refuse(limit, limits.LIMIT_RETRY_SECONDS)
            elif usage.tally.count(key, request.client_id) >= limit.most:
                return self._refuse(limit, limits.LIMIT_RETRY_SECONDS)
        for key, limit in taken:
            usage.buckets.take(key, limit.most, limit.burst)
        return ALLOW

    def preview(self, request: AccessRequest) -> Verdict:
        """What is full has room again later, whoever the viewer is."""
        return ALLOW

    def _refuse(self, limit: Limit, retry_after: float) -> Refused:
        self._usage.refused[limit.name] += 1
        kind = Refusal.TOO_MANY if limit.scope is Scope.IP else Refusal.FULL
        return Refused(kind, f"limits '{limit}' is reached", retry_after)
