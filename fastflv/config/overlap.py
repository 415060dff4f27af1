"""Whether two path templates overlap: is there a path that both match, and one that only one of them matches?

Both are walked side by side as finite automata over one representative of each kind of character, shortest
paths first. So the answer is exact, and the path that shows it is as short as can be.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase, digits
from typing import Final

from fastflv.config.variable import Kind, Tokens

SHORTEST: Final = "x" + ascii_lowercase + digits
"Representatives of the characters that no template names; `x` first, for readers of messages."


@dataclass(frozen=True, slots=True)
class Overlap:
    """Whether the paths of two templates overlap, and how."""

    path: str
    "The shortest path that both match; empty where there is none."

    first_only: bool
    "Some path matches the first template alone."

    second_only: bool
    "Some path matches the second template alone."


class _Automaton:
    """One template as states 0, 1, … with arrows (kind of character, next state)."""

    def __init__(self, tokens: Tokens) -> None:
        self._arrows: list[list[tuple[str | Kind, int]]] = [[]]
        self.final = 0
        for token in tokens:
            if isinstance(token, str):
                for char in token:
                    self._extend(char)
                continue
            kind = Kind.NUMBER if token.kind is Kind.NUMBER else Kind.PIECE
            self._extend(kind)
            self._arrows[self.final].append((kind, self.final))
            if token.kind is Kind.PARTS:
                # Behind a slash another part must follow: a state of its own, so that no path ends there.
                self._arrows.append([(Kind.PIECE, self.final)])
                self._arrows[self.final].append(("/", len(self._arrows) - 1))

    def _extend(self, kind: str | Kind) -> None:
        self._arrows[self.final].append((kind, len(self._arrows)))
        self.final = len(self._arrows)
        self._arrows.append([])

    def step(self, states: frozenset[int], char: str) -> frozenset[int]:
        """The states that *char* leads to from *states*."""
        return frozenset(
            there
            for state in states
            for kind, there in self._arrows[state]
            if kind == char
            or (kind is Kind.PIECE and char != "/")
            or (kind is Kind.NUMBER and char in digits)
        )


@lru_cache(maxsize=4096)
def compare(first: Tokens, second: Tokens) -> Overlap:
    """Compare two templates.

    Takes time by the product of their lengths. Answers are cached: vhosts often have the same templates.
    """
    if _apart(first, second):
        return Overlap("", True, True)
    one, two = _Automaton(first), _Automaton(second)
    named = {char for token in (*first, *second) if isinstance(token, str) for char in token}
    other = next((char for char in SHORTEST if char not in named), "")
    digit = next((char for char in digits if char not in named), "")
    letters = sorted(named | {"/", other, digit} - {""}, key=lambda char: (char != other, char))
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
    """The templates begin or end with different text: most do, and that is found at once."""
    heads = [tokens[0] if tokens and isinstance(tokens[0], str) else "" for tokens in (first, second)]
    ends = [tokens[-1] if tokens and isinstance(tokens[-1], str) else "" for tokens in (first, second)]
    return not (heads[0].startswith(heads[1]) or heads[1].startswith(heads[0])) or not (
        ends[0].endswith(ends[1]) or ends[1].endswith(ends[0])
    )
