"""One statement of a configuration."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Directive:
    """One statement of a configuration and where it stands. Equal when the words are, wherever they stand."""

    name: str
    "First word of the statement; empty for the root of a file."

    args: tuple[str, ...] = ()
    "The other words, without quotes; never empty strings."

    children: tuple[Directive, ...] = ()
    "Statements of the block, in file order; includes are already spliced in."

    block: bool = False
    "True when the statement ended with a block, even an empty one."

    file: str = field(default="", compare=False)
    "Path as it was opened, or the label given to the text."

    line: int = field(default=0, compare=False)
    "Line of the first word, from 1; 0 for a root."

    columns: tuple[int, ...] = field(default=(), compare=False)
    "Where each word begins in its line, the name first, in characters from 1; empty for a root."

    @property
    def column(self) -> int:
        """Where the name begins; 0 for a root."""
        return self.columns[0] if self.columns else 0

    @property
    def place(self) -> str:
        """File and line, for messages about another directive."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def first(self, name: str) -> Directive | None:
        """The first child called *name*: of duplicates, the first one counts."""
        return next((child for child in self.children if child.name == name), None)

    def every(self, name: str) -> tuple[Directive, ...]:
        """All children called *name*, in file order."""
        return tuple(child for child in self.children if child.name == name)
