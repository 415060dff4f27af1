"""Which output writes which file: the ending of its name says so."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from fastflv.errors import ToolError
from fastflv.net.peertext import printable
from fastflv.tools.fileoutput import FileOutput
from fastflv.tools.output import HlsOutput, Output, PlainOutput

OUTPUTS: Final[dict[str, Callable[[str], Output]]] = {
    ".flv": FileOutput,
    ".mp4": FileOutput,
    ".ts": PlainOutput, ".aac": PlainOutput, ".mp3": PlainOutput, ".m3u8": HlsOutput,
}  # fmt: skip
"By the ending of a name."


def open_output(path: str, *, replace: bool) -> Output:
    """Return the output for the file *path*; nothing is written yet.

    *replace*: a file of that name may be there. Raises ToolError with what to do.
    """
    ending = os.path.splitext(path)[1].lower()
    kind = OUTPUTS.get(ending)
    shown = printable(path)
    if kind is None:
        raise ToolError(f"{shown} ends with no container; write one of {', '.join(OUTPUTS)}")
    if os.path.lexists(path) and not replace:
        raise ToolError(f"{shown} is there already; --force replaces it")
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise ToolError(f"there is no directory {printable(folder)} for {shown}")
    return kind(path)
