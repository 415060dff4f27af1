"""The files of one configuration: read whole, included in place, never in a circle."""

from __future__ import annotations

import os
from typing import Final

from fastflv import limits
from fastflv.config.grammar.filestamp import FileStamps, stamp_of
from fastflv.errors import ConfigFileError

MARKS: Final = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
"First bytes of text in other encodings."


def read_file(path: str) -> str:
    """Read *path* as text; bytes that are not UTF-8 survive as surrogates.

    Raises OSError as `open` does, and ConfigFileError when the file is over `CONFIG_FILE_BYTES_MAX` or in UTF-16.
    """
    with open(path, "rb") as source:
        data = source.read(limits.CONFIG_FILE_BYTES_MAX + 1)
    if len(data) > limits.CONFIG_FILE_BYTES_MAX:
        raise ConfigFileError(
            f"larger than {limits.CONFIG_FILE_BYTES_MAX} bytes",
            file=path,
            hint="no configuration is that long; is it the right path?",
        )
    if data[:2] in MARKS:
        raise ConfigFileError(
            "the file is in UTF-16",
            file=path,
            line=1,
            column=1,
            hint="save it as UTF-8, without a byte order mark",
        )
    return data.decode("utf-8", "surrogateescape")


class Inclusion:
    """The files being included, outermost first, and how many there were: the guard against circles."""

    def __init__(self, folder: str = "", stamps: FileStamps | None = None) -> None:
        """Relative paths start at *folder*; empty: at the working directory of now."""
        self._folder = folder
        self._stamps = {} if stamps is None else stamps
        self._open: list[str] = []
        self._count = 0

    def open(self, path: str, *, file: str, line: int = 0, column: int = 0) -> str:
        """Return the text of *path*, named at *file*, *line* and *column*; `close` it when its statements are read.

        Raises ConfigFileError.
        """
        hint = ""
        try:
            found = os.path.join(self._folder, path)
            real = os.path.realpath(found)
            if real in self._open:
                raise ConfigFileError(
                    f"{path} includes itself" + self._circle(real),
                    file=file,
                    line=line,
                    column=column,
                    hint="remove this include",
                )
            self._count += 1
            if len(self._open) >= limits.INCLUDE_DEPTH_MAX or self._count > limits.INCLUDE_FILES_MAX:
                raise ConfigFileError(
                    f"too many includes, at {path}",
                    file=file,
                    line=line,
                    column=column,
                    hint=f"at most {limits.INCLUDE_DEPTH_MAX} in each other and {limits.INCLUDE_FILES_MAX} in all",
                )
            self._stamps.setdefault(os.path.abspath(found), stamp_of(found))
            text = read_file(found)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            what = path if line else "the file"
            if line and not os.path.isabs(path):
                hint = f"the path is relative to {self._folder or os.getcwd()}"
            elif isinstance(error, IsADirectoryError):
                hint = "name a file in it"
            elif isinstance(error, FileNotFoundError):
                hint = "look at the path"
            elif isinstance(error, PermissionError):
                hint = "let the user that runs the server read it"
            raise ConfigFileError(
                f"cannot read {what}: {reason}", file=file, line=line, column=column, hint=hint
            ) from None
        self._open.append(real)
        return text

    def close(self) -> None:
        self._open.pop()

    def _circle(self, real: str) -> str:
        through = [os.path.basename(path) for path in self._open[self._open.index(real) + 1 :]]
        return f" through {', '.join(through)}" if through else ""
