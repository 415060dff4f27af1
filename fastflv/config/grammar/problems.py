"""The problems of one configuration: collected while it is read, raised together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from fastflv import limits
from fastflv.errors import ConfigError, ConfigValueError

Result = TypeVar("Result")


class Place(Protocol):
    """A directive or a value."""

    @property
    def file(self) -> str: ...

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


def value_error(at: Place | None, detail: str, hint: str = "") -> ConfigValueError:
    """The error at the place *at*; None: at none."""
    if at is None:
        return ConfigValueError(detail, hint=hint)
    return ConfigValueError(detail, file=at.file, line=at.line, column=at.column, hint=hint)


class TooManyProblems(Exception):
    """`CONFIG_PROBLEMS_MAX` problems are found: reading ends."""


class Problems:
    """The problems found so far, each once, in the order found."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int, str], ConfigError] = {}
        self.misnested = False
        "A block is not closed, or closed twice: directives may stand in blocks that their author did not mean."

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, error: ConfigError) -> None:
        """Add *error* and its further problems. Raises TooManyProblems at the bound."""
        for each in error.problems:
            self._found.setdefault((each.file, each.line, each.column, each.detail), each)
        if len(self._found) >= limits.CONFIG_PROBLEMS_MAX:
            raise TooManyProblems

    def at(self, place: Place) -> bool:
        """Whether a problem stands on the line of *place*; values there are not what was written."""
        return any((file, line) == (place.file, place.line) for file, line, _, _ in self._found)

    def attempt(self, read: Callable[[], Result], default: Result) -> Result:
        """Return what *read* returns; of a ConfigError that it raises the problems are added, and *default* is returned."""
        with self.collected():
            return read()
        return default

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Add the problems of a ConfigError that is raised within; what follows in the block is left out."""
        try:
            yield
        except ConfigError as error:
            self.add(error)

    def error(self) -> ConfigError | None:
        """One error that carries all problems, those of a file in the order of its lines; None without problems."""
        files = {file: rank for rank, file in reversed(list(enumerate(key[0] for key in self._found)))}
        found = [
            each
            for _, each in sorted(
                self._found.items(), key=lambda item: (files[item[0][0]], item[0][1], item[0][2])
            )
        ]
        if not found:
            return None
        first, *others = found
        first.others = tuple(others)
        return first

    def raise_found(self) -> None:
        """Raise `error` where there is one."""
        error = self.error()
        if error is not None:
            raise error
