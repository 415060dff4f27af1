"""The grammar of SRS-style configuration files: text in, a tree of directives out.

A statement is ``name arg…;`` or ``name arg… { children }``. Names and arguments are words between
blanks; a word may be quoted with ``"`` or ``'``, without escapes. A statement ends on the line it
began on: that is SRS's rule, and it turns a forgotten ``;`` into an error with a line number.
``#`` starts a comment where a word could start. ``include`` splices files in place; their paths
are relative to the directory the process was started in, not to the including file.

Reading goes on behind a problem as if the nearest text that the grammar allows stood there, so that one pass
finds all problems of a file.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from fastflv import limits
from fastflv.config.grammar.directive import Directive
from fastflv.config.grammar.filestamp import FileStamps
from fastflv.config.grammar.inclusion import Inclusion
from fastflv.config.grammar.problems import Problems, TooManyProblems
from fastflv.errors import ConfigError, ConfigSyntaxError

BLANKS: Final = " \t\r\n"
PLAIN_WORD: Final = re.compile(r"[^ \t\r\n;{]+")
QUOTED_WORD: Final = {mark: re.compile(f"{mark}([^{mark}\r\n]*){mark}") for mark in ("'", '"')}
COMMENT: Final = re.compile(r"#[^\r\n]*")
REST_OF_LINE: Final = re.compile(r"[^\r\n]*")
BRACE_BELOW: Final = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*\{")
"A `{` that is the next mark behind blanks, ends of lines and comments."
NOT_UTF_8: Final = re.compile("[\udc80-\udcff]")


def parse_file(
    path: str, folder: str = "", stamps: FileStamps | None = None, problems: Problems | None = None
) -> Directive:
    """Parse the file at *path*; return its root. Relative paths, of includes too, start at *folder*.

    *stamps* is given how each file looked before it was read, also where this fails. *problems*: as `parse`.

    Raises ConfigFileError when it or an included file cannot be read, ConfigSyntaxError with the place when the
    text breaks the grammar.
    """
    found = Problems() if problems is None else problems
    inclusion = Inclusion(folder, stamps)
    try:
        text = inclusion.open(path, file=path)
    except ConfigError as error:
        found.add(error)
        if problems is None:
            found.raise_found()
        return Directive("", block=True, file=path)
    return parse(text, path, inclusion=inclusion, problems=problems)


def parse(
    text: str, file: str = "<text>", *, inclusion: Inclusion | None = None, problems: Problems | None = None
) -> Directive:
    """Parse *text*; return its root. *file* labels places in errors.

    *problems* is given what breaks the grammar; None: it is raised, as by `parse_file`.
    """
    found = Problems() if problems is None else problems
    statements: list[Directive] = []
    try:
        _Reader(text, file, inclusion or Inclusion(), found).read(statements)
    except TooManyProblems:
        if problems is not None:
            raise
    if problems is None:
        found.raise_found()
    return Directive("", children=tuple(statements), block=True, file=file)


class _Word(NamedTuple):
    text: str
    column: int


class _Opener(NamedTuple):
    """The head of a block that is being read."""

    name: str
    line: int
    column: int


class _TooDeep(Exception):
    """Blocks nest deeper than any configuration: the rest of the file is not read."""


class _Reader:
    """One text and the place reached in it."""

    def __init__(self, text: str, file: str, inclusion: Inclusion, problems: Problems) -> None:
        self._text = text
        self._file = file
        self._inclusion = inclusion
        self._problems = problems
        self._at = 0
        self._line = 1
        self._line_start = 0
        self._suspect = ""
        "The first block whose end is indented less than it is: where a `}` may be missing."
        if text.startswith("\ufeff"):
            self._refuse("the file starts with a byte order mark", "save it as UTF-8 without one", column=1)
            self._at = self._line_start = 1
        nul = self._text.find("\0")
        if nul >= 0:
            before = self._text.rfind("\n", 0, nul) + 1
            self._refuse(
                "a NUL byte stands in the file",
                "save it as plain UTF-8 text; is it a configuration?",
                line=self._text.count("\n", 0, nul) + 1,
                column=nul - before + 1,
            )
            self._text = self._text.replace("\0", " ")

    def read(self, found: list[Directive], depth: int = 0) -> None:
        """Append the statements of the whole text to *found*; *depth*: of the blocks around it."""
        try:
            self._statements(found, None, depth)
        except _TooDeep:
            return

    def _refuse(self, detail: str, hint: str, *, line: int = 0, column: int = 0) -> None:
        self._problems.add(
            ConfigSyntaxError(
                detail, file=self._file, line=line or self._line, column=column or self._column, hint=hint
            )
        )

    @property
    def _column(self) -> int:
        return self._at - self._line_start + 1

    def _statements(self, found: list[Directive], opener: _Opener | None, depth: int) -> None:
        """Append what stands up to the end of the block *opener* (None: of the text) to *found*."""
        if depth > limits.CONFIG_DEPTH_MAX:
            self._refuse(f"blocks nest deeper than {limits.CONFIG_DEPTH_MAX}", "look for a missing '}' above")
            self._problems.misnested = True
            raise _TooDeep
        while True:
            words, end, line, column = self._statement()
            if end == "":
                if opener is not None:
                    self._problems.misnested = True
                    self._refuse(
                        f"the block '{opener.name}' is never closed",
                        "add a '}'" + self._suspect,
                        line=opener.line,
                        column=opener.column,
                    )
                return
            if end == "}":
                if opener is not None:
                    self._close(opener, column)
                    return
                self._problems.misnested = True
                self._refuse(
                    "'}' closes nothing", "remove it, or look for a missing '{' above", column=column
                )
                continue
            if not words:
                # An empty quoted string is no word, so `"" ;` gets here with nothing to name the statement.
                self._refuse(f"'{end}' without a directive before it", "remove it", line=line, column=column)
                if end == "{":
                    self._statements([], _Opener("{", line, column), depth + 1)
                continue
            name, args = words[0].text, tuple(word.text for word in words[1:])
            if name == "include":
                self._include(found, words, end, line, depth)
                continue
            children: list[Directive] = []
            if end == "{":
                self._statements(children, _Opener(name, line, words[0].column), depth + 1)
            columns = tuple(word.column for word in words)
            found.append(Directive(name, args, tuple(children), end == "{", self._file, line, columns))

    def _close(self, opener: _Opener, column: int) -> None:
        """Note a block that begins right of its `}`: text is mostly indented as its author means it."""
        first = not self._text[self._line_start : self._at - 1].strip(BLANKS)
        if first and column < opener.column and not self._suspect and opener.line < self._line:
            self._suspect = (
                f"; it may be missing behind '{opener.name}' of line {opener.line}: the '}}' of line {self._line}"
                " is indented less"
            )

    def _include(self, found: list[Directive], words: list[_Word], end: str, line: int, depth: int) -> None:
        if end == "{" or len(words) < 2:
            self._refuse(
                "include takes one or more files",
                "write 'include path/to/file.conf;'",
                line=line,
                column=words[0].column,
            )
            if end == "{":
                self._statements([], _Opener("include", line, words[0].column), depth + 1)
            return
        for path, column in words[1:]:
            try:
                text = self._inclusion.open(path, file=self._file, line=line, column=column)
            except ConfigError as error:
                self._problems.add(error)
                continue
            # A file is whole in itself: it neither closes the block it is included in nor leaves one open.
            _Reader(text, path, self._inclusion, self._problems).read(found, depth)
            self._inclusion.close()

    def _statement(self) -> tuple[list[_Word], str, int, int]:
        """Read one statement: its words, what ended it (';', '{', '}' or '' for the end), line and column of its first mark."""
        words: list[_Word] = []
        text = self._text
        line, column = 0, 0
        while True:
            if self._at >= len(text):
                if words:
                    self._unended(words[0], "the file ends inside the statement", line)
                    return words, ";", line, column
                return words, "", self._line, self._column
            mark = text[self._at]
            if mark in "\r\n" and words:
                below = BRACE_BELOW.match(text, self._at)
                self._unended(words[0], "the line ends inside the statement", line, below=below is not None)
                if below is None:
                    return words, ";", line, column
                self._skip_to(below.end())
                return words, "{", line, column
            if mark in BLANKS:
                self._skip_to(self._at + 1)
            elif mark == "#":
                self._at = self._match(COMMENT).end()
            elif mark in ";{}":
                if mark == "}" and words:
                    # The mark stays: it ends the block as well.
                    self._unended(words[0], "'}' inside the statement", line)
                    return words, ";", line, column
                if not line:
                    line, column = self._line, self._column
                self._at += 1
                return words, mark, line, column
            else:
                if not line:
                    line, column = self._line, self._column
                begin = self._column
                word = self._quoted(mark) if mark in "'\"" else self._plain()
                if word and NOT_UTF_8.search(word):
                    self._refuse(
                        "the word holds bytes that are not UTF-8", "save the file as UTF-8", column=begin
                    )
                    word = NOT_UTF_8.sub("\ufffd", word)
                if word:
                    words.append(_Word(word, begin))

    def _skip_to(self, at: int) -> None:
        """Go on at *at*, counting the lines up to there."""
        lines = self._text.count("\n", self._at, at)
        if lines:
            self._line += lines
            self._line_start = self._text.rindex("\n", self._at, at) + 1
        self._at = at

    def _unended(self, first: _Word, detail: str, line: int, *, below: bool = False) -> None:
        hint = (
            "put the '{' on this line"
            if below
            else "end it with ';' or open its block with '{' on the same line"
        )
        self._refuse(f"{detail} '{first.text}'", hint, line=line, column=first.column)

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
            self._refuse(
                f"a quoted word has no closing {mark}", "close it on the same line; there are no escapes"
            )
            rest = self._match(REST_OF_LINE)[0].rstrip()
            # The mark at the end of the line ends the statement, as its author meant it to.
            word = rest[:-1] if rest.endswith((";", "{")) else rest
            self._at += len(word)
            return word[1:].strip()
        self._at = found.end()
        after = self._text[self._at : self._at + 1]
        # A `}` there is refused as one inside of a statement.
        if after and after not in BLANKS + ";{}":
            self._refuse(f"{after!r} right after a closing quote", "put a blank or ';' between")
        return found[1]
