"""Do two URL patterns meet: is there a path that both match, and does one match all that the other does?

A pattern is text with variables between. Both are walked side by side as finite automata over one
representative of each kind of character, shortest paths first. So the answer is exact, and the path
that is shown for it is as short as can be.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from string import ascii_lowercase, digits
from typing import Final


class Variable(Enum):
    """What stands for more than itself in a pattern."""

    APP = "one or more parts of a path, none of them empty"
    STREAM = "one part of a path, or a piece of one; never empty"
    NUMBER = "one or more decimal digits"


Tokens = tuple[str | Variable, ...]
"A pattern: literal text and variables, in order."

DIGIT: Final = "a digit"
NO_SLASH: Final = "any character but a slash"
SPARE: Final = "x" + ascii_lowercase + digits
"Characters to stand for all that neither pattern names; `x` first, for readers."


@dataclass(frozen=True, slots=True)
class Overlap:
    """How the paths of two patterns lie to each other."""

    path: str
    "The shortest path that both match; empty where there is none."

    first_only: bool
    "Some path matches the first pattern alone."

    second_only: bool
    "Some path matches the second pattern alone."


class _Automaton:
    """One pattern as states 0, 1, … with arrows (kind of character, next state)."""

    def __init__(self, tokens: Tokens) -> None:
        self._arrows: list[list[tuple[str, int]]] = [[]]
        self.final = 0
        for token in tokens:
            if isinstance(token, str):
                for char in token:
                    self._extend(char)
                continue
            kind = DIGIT if token is Variable.NUMBER else NO_SLASH
            self._extend(kind)
            self._arrows[self.final].append((kind, self.final))
            if token is Variable.APP:
                # After a slash stands another part: a state of its own, so that no path ends there.
                self._arrows.append([(NO_SLASH, self.final)])
                self._arrows[self.final].append(("/", len(self._arrows) - 1))

    def _extend(self, kind: str) -> None:
        self._arrows[self.final].append((kind, len(self._arrows)))
        self.final = len(self._arrows)
        self._arrows.append([])

    def step(self, states: frozenset[int], char: str) -> frozenset[int]:
        """The states that *char* leads to from *states*."""
        return frozenset(
            there
            for state in states
            for kind, there in self._arrows[state]
            if kind == char or (kind is NO_SLASH and char != "/") or (kind is DIGIT and char in digits)
        )


@lru_cache(maxsize=4096)
def compare(first: Tokens, second: Tokens) -> Overlap:
    """Compare two patterns. Takes time by the product of their lengths; answers are remembered, for
    vhosts often have the same patterns."""
    if _apart(first, second):
        return Overlap("", True, True)
    one, two = _Automaton(first), _Automaton(second)
    named = {char for token in (*first, *second) if isinstance(token, str) for char in token}
    spare = next((char for char in SPARE if char not in named), "")
    digit = next((char for char in digits if char not in named), "")
    letters = sorted(named | {"/", spare, digit} - {""}, key=lambda char: (char != spare, char))
    start = (frozenset({0}), frozenset({0}))
    waiting = deque([("", *start)])
    seen = {start}
    both, first_only, second_only = "", False, False
    while waiting:
        path, here, there = waiting.popleft()
        ends, other_ends = one.final in here, two.final in there
        if ends and other_ends:
            both = both or path
        first_only |= ends and not other_ends
        second_only |= other_ends and not ends
        if both and first_only and second_only:
            break
        for char in letters:
            after = (one.step(here, char), two.step(there, char))
            if after not in seen and (after[0] or after[1]):
                seen.add(after)
                waiting.append((path + char, *after))
    return Overlap(both, first_only, second_only)


def _apart(first: Tokens, second: Tokens) -> bool:
    """The patterns begin or end with different text: most do, and that is found at once."""
    heads = [tokens[0] if isinstance(tokens[0], str) else "" for tokens in (first, second)]
    ends = [tokens[-1] if isinstance(tokens[-1], str) else "" for tokens in (first, second)]
    return not (heads[0].startswith(heads[1]) or heads[1].startswith(heads[0])) or not (
        ends[0].endswith(ends[1]) or ends[1].endswith(ends[0])
    )
