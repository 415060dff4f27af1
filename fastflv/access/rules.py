"""Rules: what the gate asks. A vhost's own ones are compiled from its configuration."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol, TypeAlias

from fastflv.access.refer import ReferRule
from fastflv.access.request import AccessRequest
from fastflv.access.security import SecurityRule
from fastflv.access.verdict import Verdict
from fastflv.config.model.access import Refer, Security

PromptRule: TypeAlias = Callable[[AccessRequest], Verdict]
"""A rule that answers at once. It changes nothing, because `Gate.recheck` asks again after each reload."""

Answer: TypeAlias = Callable[[Verdict], None]


class Waiting(Protocol):
    """An answer that is still to come."""

    def cancel(self) -> None:
        """Give up: the answer is not called any more."""


class LateRule(ABC):
    """Base of rules that may answer later, as one that asks another server."""

    __slots__ = ()

    @abstractmethod
    def ask(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        """Return the verdict where it is known; else a `Waiting`, and call *answer* once, later."""


Rule: TypeAlias = PromptRule | LateRule


def compile_rules(security: Security, refer: Refer) -> tuple[Rule, ...]:
    """Return the rules of one vhost in the order asked; blocks that are not enabled give none.

    Raises ValueError with one sentence for a network or site that cannot be read.
    """
    rules: list[Rule] = []
    if security.enabled:
        rules.append(SecurityRule(security.rules))
    if refer.enabled:
        rules.append(ReferRule(refer))
    return tuple(rules)
