"""The grammar of SRS-style configuration files: text in, a tree of directives out.

A statement is ``name arg…;`` or ``name arg… { children }``. Names and arguments are words between
blanks; a word may be quoted with ``"`` or ``'``, without escapes. A statement ends on the line it
began on: that is SRS's rule, and it turns a forgotten ``;`` into an error with a line number.
``#`` starts a comment where a word could start. ``include`` splices files in place; their paths
are relative to the directory the process was started in, not to the including file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fastflv import limits
from fastflv.config.grammar.filestamp import FileStamps, stamp_of
from fastflv.errors import ConfigFileError, ConfigSyntaxError

BLANKS: Final = " \t\r\n"
PLAIN_WORD: Final = re.compile(r"[^ \t\r\n;{]+")
QUOTED_WORD: Final = {mark: re.compile(f"{mark}([^{mark}\r\n]*){mark}") for mark in ("'", '"')}
COMMENT: Final = re.compile(r"#[^\r\n]*")


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


def read_file(path: str) -> str:
    """Read *path* as text; bytes that are not UTF-8 survive as surrogates.

    Raises OSError as `open` does, and ConfigFileError when the file is over `CONFIG_FILE_BYTES_MAX`.
    """
    with open(path, "rb") as source:
        data = source.read(limits.CONFIG_FILE_BYTES_MAX + 1)
    if len(data) > limits.CONFIG_FILE_BYTES_MAX:
        raise ConfigFileError(f"larger than {limits.CONFIG_FILE_BYTES_MAX} bytes", file=path)
    return data.decode("utf-8", "surrogateescape")


def parse_file(path: str, folder: str = "", stamps: FileStamps | None = None) -> Directive:
    """Parse the file at *path*; return its root. Relative paths, of includes too, start at *folder*.

    *stamps* is given how each file looked before it was read, also where this fails.

    Raises ConfigFileError when it or an included file cannot be read, ConfigSyntaxError with file
    and line when the text breaks the grammar.
    """
    inclusion = _Inclusion(read_file, folder, stamps)
    return parse(inclusion.open(path, file=path, line=0), path, inclusion=inclusion)


def parse(text: str, file: str = "<text>", *, inclusion: _Inclusion | None = None) -> Directive:
    """Parse *text*; return its root. *file* labels places in errors. Raises as `parse_file`."""
    reader = _Reader(text, file, inclusion or _Inclusion(read_file))
    return Directive("", children=tuple(reader.statements(None, 0)), block=True, file=file)


class _Inclusion:
    """The files being included, outermost first, and how many there were: the guard against cycles."""

    def __init__(
        self, read: Callable[[str], str], folder: str = "", stamps: FileStamps | None = None
    ) -> None:
        """Relative paths start at *folder*; empty: at the working directory of now."""
        self._read = read
        self._folder = folder
        self._stamps = {} if stamps is None else stamps
        self._open: list[str] = []
        self._count = 0

    def open(self, path: str, *, file: str, line: int) -> str:
        """Return the text of *path*, named at *file*:*line*; `close` it when its statements are read."""
        try:
            found = os.path.join(self._folder, path)
            real = os.path.realpath(found)
            if real in self._open:
                raise ConfigFileError(
                    f"{path} includes itself", file=file, line=line, hint="remove this include"
                )
            self._count += 1
            if len(self._open) >= limits.INCLUDE_DEPTH_MAX or self._count > limits.INCLUDE_FILES_MAX:
                raise ConfigFileError(f"too many includes, at {path}", file=file, line=line)
            self._stamps.setdefault(os.path.abspath(found), stamp_of(found))
            text = self._read(found)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            what = path if line else "the file"
            hint = (
                f"the path is relative to {self._folder or os.getcwd()}"
                if line and not os.path.isabs(path)
                else ""
            )
            raise ConfigFileError(f"cannot read {what}: {reason}", file=file, line=line, hint=hint) from None
        self._open.append(real)
        return text

    def close(self) -> None:
        self._open.pop()


class _Reader:
    """One text and the place reached in it."""

    def __init__(self, text: str, file: str, inclusion: _Inclusion) -> None:
        self._text = text
        self._file = file
        self._inclusion = inclusion
        self._at = 0
        self._line = 1
        if text.startswith("\ufeff"):
            raise self._error("the file starts with a byte order mark", "save it as UTF-8 without one")

    def _error(self, detail: str, hint: str = "", line: int = 0) -> ConfigSyntaxError:
        return ConfigSyntaxError(detail, file=self._file, line=line or self._line, hint=hint)

    def statements(self, opener: str | None, depth: int) -> list[Directive]:
        """Read up to the end of the block *opener* (None: of the file)."""
        found: list[Directive] = []
        opened = self._line
        if depth > limits.CONFIG_DEPTH_MAX:
            raise self._error(f"blocks nest deeper than {limits.CONFIG_DEPTH_MAX}")
        while True:
            words, end, line = self._statement()
            if end == "":
                if opener is not None:
                    raise self._error(f"the block '{opener}' is never closed", "add a '}'", line=opened)
                return found
            if end == "}":
                if opener is None:
                    raise self._error("'}' closes nothing", "remove it, or look for a missing '{' above")
                return found
            if not words:
                # An empty quoted string is no word, so `"" ;` gets here with nothing to name the statement.
                raise self._error(f"'{end}' without a directive before it", "remove it")
            name, args = words[0], tuple(words[1:])
            if name == "include":
                found += self._include(args, end, line, opener, depth)
                continue
            children = tuple(self.statements(name, depth + 1)) if end == "{" else ()
            found.append(Directive(name, args, children, end == "{", self._file, line))

    def _include(
        self, paths: tuple[str, ...], end: str, line: int, opener: str | None, depth: int
    ) -> list[Directive]:
        if end == "{" or not paths:
            raise self._error("include takes one or more files", "write 'include path/to/file.conf;'", line)
        found: list[Directive] = []
        for path in paths:
            text = self._inclusion.open(path, file=self._file, line=line)
            # A file is whole in itself: it neither closes the block it is included in nor leaves one open.
            found += _Reader(text, path, self._inclusion).statements(None, depth)
            self._inclusion.close()
        return found

    def _statement(self) -> tuple[list[str], str, int]:
        """Read one statement: its words, what ended it (';', '{', '}' or '' for the end), its line."""
        words: list[str] = []
        first_line = 0
        text = self._text
        while True:
            if self._at >= len(text):
                if words:
                    raise self._unended(words[0], "the file ends inside the statement")
                return words, "", self._line
            mark = text[self._at]
            if mark in "\r\n" and words:
                raise self._unended(words[0], "the line ends inside the statement")
            if mark in BLANKS:
                self._line += mark == "\n"
                self._at += 1
            elif mark == "#":
                self._at = self._match(COMMENT).end()
            elif mark in ";{}":
                if mark == "}" and words:
                    raise self._unended(words[0], "'}' inside the statement")
                self._at += 1
                return words, mark, first_line or self._line
            else:
                first_line = first_line or self._line
                word = self._quoted(mark) if mark in "'\"" else self._plain()
                if word:
                    words.append(word)

    def _unended(self, name: str, detail: str) -> ConfigSyntaxError:
        return self._error(
            f"{detail} '{name}'", "end it with ';' or open its block with '{' on the same line"
        )

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        assert found is not None
        return found

    def _plain(self) -> str:
        found = self._match(PLAIN_WORD)
        self._at = found.end()
        return found[0]

    def _quoted(self, mark: str) -> str:
        found = QUOTED_WORD[mark].match(self._text, self._at)
        if found is None:
            raise self._error(
                f"a quoted word has no closing {mark}", "close it on the same line; there are no escapes"
            )
        self._at = found.end()
        after = self._text[self._at : self._at + 1]
        if after and after not in BLANKS + ";{":
            raise self._error(f"{after!r} right after a closing quote", "put a blank or ';' between")
        return found[1]
