"""A block of the configuration as typed values: environment first, then the file, then the default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fastflv.config.endpoint import Endpoint
from fastflv.config.grammar.directive import Directive
from fastflv.config.grammar.environ import Environment
from fastflv.config.grammar.problems import Problems
from fastflv.config.notice import Notice, NoticeKind
from fastflv.errors import ConfigValueError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Filled = TypeVar("Filled", bound=DataclassInstance)

Choice = TypeVar("Choice", bound=Enum)
Number = TypeVar("Number", int, float)

WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")
DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]*)?|\.[0-9]+)")
SIZE: Final = re.compile(r"([0-9]{1,12})([KkMmGg]?)")
SUFFIXED: Final = re.compile(r"[+-]?[0-9.]+\s*[A-Za-z%]+")


def bounded(default: Number, low: Number, high: Number | None = None, *, truncate: bool = False) -> Number:
    """A dataclass field that `Section.fill` holds between *low* and *high*; *truncate*: 9.3 is read as 9."""
    value: Number = field(default=default, metadata={"low": low, "high": high, "truncate": truncate})
    return value


@dataclass(frozen=True, slots=True)
class Value:
    """The words given for one directive, and by whom."""

    words: tuple[str, ...]
    "Arguments; at least one."

    label: str
    "Dotted path of the directive, for messages."

    file: str
    "File, ``environment NAME`` or ``option NAME``."

    line: int
    "Line from 1; 0 for the environment and options."

    columns: tuple[int, ...] = ()
    "Where each word begins in its line, from 1; empty where there is no line."

    @property
    def column(self) -> int:
        """Where the first word begins; 0 for the environment and options."""
        return self.columns[0] if self.columns else 0

    @property
    def from_environment(self) -> bool:
        return self.line == 0

    @property
    def place(self) -> str:
        """File and line, for messages about another value."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def only(self, word: int) -> Value:
        """This value with the word of that index alone, and its place."""
        columns = self.columns[word : word + 1] or self.columns[:1]
        return Value((self.words[word],), self.label, self.file, self.line, columns)

    def error(self, detail: str, hint: str = "", *, word: int = 0) -> ConfigValueError:
        """The error for this value, at the word of that index: ``<label> <detail>``."""
        column = self.columns[word] if word < len(self.columns) else self.column
        return ConfigValueError(
            f"{self.label} {detail}", file=self.file, line=self.line, column=column, hint=hint
        )


class Section:
    """One block, or the lack of it, with the environment over it. Notices and problems go to lists shared by all.

    A value that cannot be is a problem, and the default is read instead.
    """

    __slots__ = ("directive", "environment", "notices", "path", "problems")

    def __init__(
        self,
        directive: Directive | None,
        path: str,
        environment: Environment,
        notices: list[Notice],
        problems: Problems,
    ) -> None:
        self.directive = directive
        self.path = path
        self.environment = environment
        self.notices = notices
        self.problems = problems

    def _at(self, directive: Directive | None, name: str) -> Section:
        return Section(directive, self._path(name), self.environment, self.notices, self.problems)

    def _path(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def sub(self, name: str) -> Section:
        """The first block called *name*; without one, a section that only the environment fills."""
        return self._at(self.directive.first(name) if self.directive else None, name)

    def subs(self, name: str) -> Iterator[Section]:
        """Every block called *name*, in file order."""
        return (self._at(child, name) for child in (self.directive.every(name) if self.directive else ()))

    def value(self, name: str, *, split: bool = False) -> Value | None:
        """What was given for *name*, or None. *split*: a variable's words are apart by single blanks."""
        path = self._path(name)
        variable = self.environment.find(path)
        if variable is not None:
            words = tuple(filter(None, variable[1].split(" "))) if split else (variable[1],)
            if words:
                return Value(words, path, variable[0], 0)
        found = self.directive.first(name) if self.directive else None
        if found is None or not found.args:
            return None
        return Value(found.args, path, found.file, found.line, found.columns[1:])

    def values(self, name: str, *, split: bool = False) -> tuple[Value, ...]:
        """Every statement *name*, in file order, for what may stand several times; a variable replaces them all."""
        found = self.value(name, split=split)
        if found is not None and found.from_environment:
            return (found,)
        every = self.directive.every(name) if self.directive else ()
        return tuple(
            Value(each.args, self._path(name), each.file, each.line, each.columns[1:])
            for each in every
            if each.args
        )

    def word(self, name: str) -> Value | None:
        """As `value`, for a directive with one argument; more earn a notice and are left out."""
        found = self.value(name)
        if found is not None and len(found.words) > 1:
            self.notify(NoticeKind.ADVICE, f"{found.label} takes one value; the first is used", found)
        return found

    def notify(self, kind: NoticeKind, text: str, at: Value | Directive | None, feature: str = "") -> None:
        """Write a notice about the place *at*."""
        place = (at.file, at.line, at.column) if at else ("", 0, 0)
        self.notices.append(Notice(kind, text, *place, feature))

    def text(self, name: str, default: str) -> str:
        found = self.word(name)
        return found.words[0] if found else default

    def texts(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        found = self.value(name, split=True)
        return found.words if found else default

    def flag(self, name: str, default: bool) -> bool:
        """SRS's two styles: what is off by default needs exactly ``on``, what is on needs exactly ``off``."""
        found = self.word(name)
        if found is None:
            return default
        if found.words[0] not in ("on", "off"):
            self.notify(
                NoticeKind.ADVICE,
                f"{found.label} is neither 'on' nor 'off', so it stays {'on' if default else 'off'}",
                found,
            )
        return found.words[0] != "off" if default else found.words[0] == "on"

    def integer(
        self, name: str, default: int, low: int = 0, high: int | None = None, *, truncate: bool = False
    ) -> int:
        found = self.word(name)
        if found is None:
            return default
        word = found.words[0]
        if WHOLE.fullmatch(word):
            return self._within(int(word), default, found, low, high)
        if truncate and DECIMAL.fullmatch(word):
            return self._within(int(float(word)), default, found, low, high)
        hint = self._number_hint(word, low, high)
        self.problems.add(found.error(f"is not a whole number: '{word}'", hint))
        return default

    def number(self, name: str, default: float, low: float = 0.0, high: float | None = None) -> float:
        found = self.word(name)
        if found is None:
            return default
        word = found.words[0]
        if not DECIMAL.fullmatch(word):
            hint = self._number_hint(word, low, high)
            self.problems.add(found.error(f"is not a number: '{word}'", hint))
            return default
        return self._within(float(word), default, found, low, high)

    def size(self, name: str, default: int, low: int = 0, high: int | None = None) -> int:
        """Bytes; `k`, `m` and `g` behind the number stand for powers of 1024."""
        found = self.word(name)
        if found is None:
            return default
        match = SIZE.fullmatch(found.words[0])
        if match is None:
            self.problems.add(
                found.error(
                    f"is no size: '{found.words[0]}'", "write bytes, or a number and k, m or g, as 512m"
                )
            )
            return default
        size = int(match[1]) << 10 * " kmg".index(match[2].lower() or " ")
        return self._within(size, default, found, low, high)

    @staticmethod
    def _number_hint(word: str, low: Number, high: Number | None) -> str:
        if SUFFIXED.fullmatch(word):
            return "leave the unit out; every directive has a fixed one"
        return f"write a number from {low:g}" + (f" to {high:g}" if high is not None else "")

    def _within(
        self, number: Number, default: Number, found: Value, low: Number, high: Number | None
    ) -> Number:
        if number < low:
            detail = f"is {number}, and must be at least {low}"
        elif high is not None and number > high:
            detail = f"is {number}, and may be at most {high}"
        else:
            return number
        self.problems.add(found.error(detail, self._number_hint("", low, high)))
        return default

    def choice(self, name: str, default: Choice) -> Choice:
        found = self.word(name)
        if found is None:
            return default
        kinds = type(default)
        try:
            return kinds(found.words[0])
        except ValueError:
            names = ", ".join(str(kind.value) for kind in kinds)
            self.problems.add(found.error(f"cannot be '{found.words[0]}'", f"write one of {names}"))
            return default

    def endpoints(self, name: str, default: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
        """Endpoints to listen on, in the order given, each one once."""
        found = self.value(name, split=True)
        if found is None:
            return default
        endpoints: dict[Endpoint, None] = {}
        for index, word in enumerate(found.words):
            try:
                endpoints[Endpoint.parse(word)] = None
            except ValueError as error:
                self.problems.add(found.error(f"cannot be '{word}'", str(error), word=index))
        return tuple(endpoints) or default

    def fill(self, kind: type[Filled], **given: Any) -> Filled:
        """Build a *kind*: each field that is not *given* is read from the directive of the field's name.

        The field's default says the type and is the value where nothing was written, so that a
        default stands in one place only. Fields without a plain default must be given.
        """
        for each in fields(kind):
            if each.init and each.name not in given and each.default is not MISSING:
                given[each.name] = self._read(each)
        return kind(**given)

    def _read(self, each: Field[Any]) -> object:
        default = each.default
        if isinstance(default, bool):
            return self.flag(each.name, default)
        if isinstance(default, Enum):
            return self.choice(each.name, default)
        if isinstance(default, int):
            return self.integer(each.name, default, **each.metadata)
        if isinstance(default, float):
            return self.number(each.name, default, each.metadata.get("low", 0.0), each.metadata.get("high"))
        if isinstance(default, str):
            return self.text(each.name, default)
        if isinstance(default, tuple) and default and isinstance(default[0], Endpoint):
            return self.endpoints(each.name, default)
        assert isinstance(default, tuple)
        return self.texts(each.name, default)
