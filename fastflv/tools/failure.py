"""How commands end when they cannot do what they were asked."""

from __future__ import annotations

import json
import sys
from typing import Final

from fastflv.errors import ToolError
from fastflv.net.peertext import printable

INTERRUPTED: Final = 130
"Exit status of a command that Ctrl-C ended before its work was done, as of shells."


def fail(command: str, error: ToolError | OSError, *, as_json: bool) -> int:
    """Say on stderr why a command failed; return the exit status."""
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        text = f"{name}{(error.strerror or str(error)).lower()}"
    else:
        text = str(error)
    print(
        json.dumps({"error": text}) if as_json else f"fastflv {command}: {printable(text)}", file=sys.stderr
    )
    return 1
