"""The two kinds of rules: what the gate asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from fastflv.access.request import AccessRequest
from fastflv.access.verdict import ALLOW, Verdict, forbid

PromptRule: TypeAlias = Callable[[AccessRequest], Verdict]
"""A rule that answers at once. It changes nothing, because `Gate.recheck` and `Gate.preview` ask it too."""

Answer: TypeAlias = Callable[[Verdict], None]

UNASKED: Final = forbid("who decides about it is asked by a play alone")
"Of a preview."


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

    def preview(self, request: AccessRequest) -> Verdict:
        """Say at once what *request* would be answered, and change nothing: nobody is asked, nothing is counted or claimed.

        A rule that cannot know refuses, so that what it guards is not shown.
        """
        return UNASKED


Rule: TypeAlias = PromptRule | LateRule
