"""Text that peers sent, fit to be shown: printable on every terminal."""

from __future__ import annotations

import re
from typing import Final

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"Control characters (Unicode category Cc) and the two separators that end a line."


def printable(text: str) -> str:
    r"""Return *text* with each character that is not printable written as `\x1b`, `\u202e` and the like."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
