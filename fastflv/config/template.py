"""Templates of paths: `[app]/[stream]-[seq].ts` for mounts, HLS files and recordings.

A template is text with variables between. It can be matched against a path, filled to make a path, and
compared with another template. `[vhost]` is text: a template belongs to one vhost.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from string import digits
from typing import Final, NamedTuple

from fastflv.config.overlap import Overlap, compare
from fastflv.config.variable import Kind, Tokens, Variable

STAMPS: Final = {"2006": "%Y", "01": "%m", "02": "%d", "15": "%H", "04": "%M", "05": "%S"}
"Variables that are a part of a time, and how `strftime` calls them."

WRITTEN: Final = re.compile(rf"\[(vhost|{'|'.join(each.value for each in Variable)})\]")
DIGITS: Final = re.compile("[0-9]*")
PLAIN: Final = bytes(ord("0") if each == ord("/") else ord("1") for each in range(256))
"Translates a path to marks: 1 where the character is no slash."
NUMERIC: Final = bytes(ord("1") if chr(each) in digits else ord("0") for each in range(256))
"Translates a path to marks: 1 where the character is a digit."


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """One template of one vhost."""

    text: str
    "The template as it was written."

    tokens: Tokens
    "Its text and variables, `[vhost]` replaced by the name of the vhost."

    head: str = field(init=False, compare=False, repr=False)
    "The text before the first variable."

    tail: str = field(init=False, compare=False, repr=False)
    "The text behind the last variable; empty where there is no variable."

    _inner: Tokens = field(init=False, compare=False, repr=False)
    "The tokens between head and tail."

    _plan: _Plan | None = field(init=False, compare=False, repr=False)
    "How `_peel` matches the inner tokens; None where it cannot."

    def __post_init__(self) -> None:
        first, last = (self.tokens[0], self.tokens[-1]) if self.tokens else ("", "")
        head = first if isinstance(first, str) else ""
        tail = last if isinstance(last, str) and len(self.tokens) > 1 else ""
        inner = self.tokens[bool(head) : len(self.tokens) - bool(tail)]
        for name, value in (("head", head), ("tail", tail), ("_inner", inner), ("_plan", _plan(inner))):
            object.__setattr__(self, name, value)

    @classmethod
    def parse(cls, text: str, vhost: str) -> PathTemplate:
        """Read *text*. An unknown name in brackets is literal text."""
        pieces: list[str | Variable] = []
        for at, piece in enumerate(WRITTEN.split(text)):
            if at % 2 and piece != "vhost":
                pieces.append(Variable(piece))
            else:
                pieces.append(vhost if at % 2 else piece)
        return cls(text, _joined(pieces))

    def plus(self, ending: str) -> PathTemplate:
        """This template with *ending* behind it."""
        return PathTemplate(self.text + ending, _joined((*self.tokens, ending)))

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables in order, one that is written twice twice."""
        return tuple(token for token in self.tokens if isinstance(token, Variable))

    def match(self, path: str) -> dict[str, str] | None:
        """Return the text of each variable by its name; None where *path* does not match.

        Where a path can be split in several ways, each variable takes as much as it can, the leftmost one first.
        A variable that is written twice has one text: the one that its first place takes.
        Takes time linear in the length of *path*.
        """
        if not (path.startswith(self.head) and path.endswith(self.tail)):
            return None
        end = len(path) - len(self.tail)
        if end < len(self.head):
            return None
        path = path[len(self.head) : end]
        if not self._inner:
            return None if path else {}
        if self._plan is None:
            return _split(self._inner, path)
        return _peel(self._inner, self._plan, path)

    def stream_of(self, path: str) -> tuple[str, str] | None:
        """The app and the stream that *path* names; without the variables they are `live` and `livestream`."""
        found = self.match(path)
        if found is None:
            return None
        return found.get("app", "live"), found.get("stream", "livestream")

    def fill(self, **values: str | int) -> str:
        """The path with *values* for the variables; raises KeyError for a variable without a value."""
        return "".join(token if isinstance(token, str) else str(values[token.value]) for token in self.tokens)

    def overlap(self, other: PathTemplate) -> Overlap:
        """Compare with *other*. Exact, but that places of one variable are taken for independent of each other."""
        return compare(self.tokens, other.tokens)


def time_values(begun: float, *, utc: bool) -> dict[str, str | int]:
    """Values of the variables of time for `PathTemplate.fill`; *begun* in seconds since 1970."""
    stamp = time.gmtime(begun) if utc else time.localtime(begun)
    milliseconds = int(begun * 1000)
    values: dict[str, str | int] = {name: time.strftime(form, stamp) for name, form in STAMPS.items()}
    return values | {"timestamp": milliseconds, "999": f"{milliseconds % 1000:03d}"}


def _joined(pieces: Iterable[str | Variable]) -> Tokens:
    """Tokens of *pieces*: neighbouring texts are one token, empty ones none."""
    tokens: list[str | Variable] = []
    for piece in pieces:
        if isinstance(piece, str) and tokens and isinstance(tokens[-1], str):
            tokens[-1] += piece
        elif piece:
            tokens.append(piece)
    return tuple(tokens)


# --- matching from the back ---


class _Step(NamedTuple):
    """A text and the variable behind it, the last ones of some tokens."""

    text: str
    length: int
    "Of the text."
    slash: int
    "Place of the last slash in the text; -1 where there is none."
    name: str
    numeric: bool


class _Plan(NamedTuple):
    """How tokens that begin and end with a variable are matched from the back."""

    steps: tuple[_Step, ...]
    "From the last variable to the second."
    name: str
    "Of the first variable."
    kind: Kind
    "Of the first variable."


def _plan(tokens: Tokens) -> _Plan | None:
    """The plan for *tokens*; None unless each variable has its place whatever stands before it.

    A variable without slashes begins behind the last slash, when its text has one; or behind the last place of its
    text, when the variable before that takes all that any later place would leave to it.
    """
    steps = []
    for at in range(len(tokens) - 1, 0, -2):
        before, text, variable = tokens[max(at - 2, 0)], tokens[at - 1], tokens[at]
        if not (isinstance(text, str) and isinstance(variable, Variable) and isinstance(before, Variable)):
            return None
        numeric = variable.kind is Kind.NUMBER
        if variable.kind is Kind.PARTS or ("/" not in text and before.kind is Kind.NUMBER):
            return None
        steps.append(_Step(text, len(text), text.rfind("/"), variable.value, numeric))
    first = tokens[0] if tokens else ""
    return None if isinstance(first, str) else _Plan(tuple(steps), first.value, first.kind)


def _peel(tokens: Tokens, plan: _Plan, path: str) -> dict[str, str] | None:
    """The texts of the variables when *tokens* match all of *path*."""
    values: dict[str, str] = {}
    steps, first, kind = plan
    end = len(path)
    for text, length, slash, name, numeric in steps:
        if slash >= 0:
            at = path.rfind("/", 0, end) - slash
            if at < 0 or not path.startswith(text, at):
                return None
            value = path[at + length : end]
        else:
            at = path.rfind(text, 0, end - 1)
            value = path[at + length : end]
            if at < 0 or "/" in value:
                return None
        if not value or (numeric and not _fits(Kind.NUMBER, value)):
            return None
        if name in values and values[name] != value:
            # Two places of one name: the first one decides, and is not known yet.
            return _split(tokens, path)
        values[name] = value
        end = at
    value = path[:end]
    if not _fits(kind, value):
        return None
    if first in values and values[first] != value:
        return _split(tokens, path)
    values[first] = value
    return values


def _fits(kind: Kind, text: str) -> bool:
    """A variable of this kind may stand for *text*."""
    if kind is Kind.NUMBER:
        return text.isascii() and text.isdigit()
    if kind is Kind.PIECE:
        return bool(text) and "/" not in text
    return bool(text) and text[0] != "/" and text[-1] != "/" and "//" not in text


# --- matching whatever ---
#
# A set of positions in a path of n characters is an int: position p is bit n - p. A set of characters is one
# too: character p is bit n - 1 - p. So the position behind a character has the character's bit, and a shift to
# the left is a step towards the front. The sets of positions from which the rest of the template matches are
# computed from the back, each in a constant number of operations on such ints; then the front walks through them.


def _split(tokens: Tokens, path: str) -> dict[str, str] | None:
    """The texts of the variables when *tokens* match all of *path*."""
    n = len(path)
    raw = path.encode("latin-1", "replace")
    plain = int(raw.translate(PLAIN) or b"0", 2)
    rests = [1]
    for token in reversed(tokens):
        rests.append(_before(token, rests[-1], path, raw, plain))
        if not rests[-1]:
            return None
    if not rests.pop() >> n & 1:
        return None
    return _walk(tokens, rests[::-1], path, plain)


def _before(token: str | Variable, after: int, path: str, raw: bytes, plain: int) -> int:
    """The positions at which *token* may begin so that it ends at one of the positions *after*."""
    n = len(path)
    if isinstance(token, str):
        found = bytearray(b"0") * (n + 1)
        at = path.find(token)
        while at >= 0:
            found[at] = ord("1")
            at = path.find(token, at + 1)
        return int(found, 2) & after << len(token)
    if token.kind is Kind.NUMBER:
        chars = int(raw.translate(NUMERIC) or b"0", 2)
        return _flood(after & chars, chars) << 1
    if token.kind is Kind.PIECE:
        return _flood(after & plain, plain) << 1
    slashes = ((1 << n) - 1) ^ plain
    # A slash inside of parts has another character on both sides.
    chars = plain | (slashes & plain << 1 & plain >> 1)
    return (_flood(after & plain, chars) & plain) << 1


def _flood(from_: int, chars: int) -> int:
    """The characters that lie before one of *from_*, or are it, without a gap in *chars* between."""
    # The addition carries from each bit to the end of its run.
    return (((from_ + chars) ^ chars) | from_) & chars


def _walk(tokens: Tokens, rests: list[int], path: str, plain: int) -> dict[str, str] | None:
    """The longest text for each variable in turn; *rests* are the positions from which the others match."""
    n = len(path)
    values: dict[str, str] = {}
    at = 0
    for token, rest in zip(tokens, rests, strict=True):
        if isinstance(token, str):
            at += len(token)
            continue
        known = values.get(token.value)
        if known is not None:
            if not path.startswith(known, at) or not rest >> (n - at - len(known)) & 1:
                return None
            at += len(known)
            continue
        if token.kind is Kind.PARTS:
            limit = path.find("//", at)
            rest &= plain
        elif token.kind is Kind.PIECE:
            limit = path.find("/", at)
        else:
            limit = DIGITS.match(path, at).end()  # type: ignore[union-attr]
        if limit < 0:
            limit = n
        ends = rest >> (n - limit)
        end = limit - ((ends & -ends).bit_length() - 1)
        values[token.value] = path[at:end]
        at = end
    return values
