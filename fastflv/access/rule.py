"""The two kinds of rules: what the gate asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol, TypeAlias

from fastflv.access.request import AccessRequest
from fastflv.access.verdict import ALLOW, Verdict

PromptRule: TypeAlias = Callable[[AccessRequest], Verdict]
"""A rule that answers at once. It changes nothing, because `Gate.recheck` asks again after each reload."""

Answer: TypeAlias = Callable[[Verdict], None]


class Waiting(Protocol):
    """An answer that is still to come."""

    def cancel(self) -> None:
        """Give up: the answer is not called any more."""


class LateRule(ABC):
    """Base of rules that may answer later, as one that asks another server, and of those that count."""

    __slots__ = ()

    @abstractmethod
    def ask(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        """Return the verdict where it is known; else a `Waiting`, and call *answer* once, later."""

    def recheck(self, request: AccessRequest) -> Verdict:
        """Judge a client that was admitted once more, after a reload; changes nothing and answers at once."""
        return ALLOW


Rule: TypeAlias = PromptRule | LateRule
