"""What the loader tells the operator about a configuration that it accepts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class NoticeKind(Enum):
    """Why a notice was written."""

    LEGACY = "legacy"
    "An old spelling was rewritten, or has no effect any more."

    NEVER = "out of scope"
    "An enabled feature that fastflv does not have and will not have; ignored."

    NO_EFFECT = "no effect"
    "A value that changes nothing in fastflv."

    ADVICE = "advice"
    "The value is taken, but hardly meant like this."


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for the log at start-up. None of them stops the server."""

    kind: NoticeKind
    "Why it was written."

    text: str
    "One sentence, without the place."

    file: str = ""
    "File, ``environment NAME`` or ``option NAME``; empty when it is about no single place."

    line: int = 0
    "Line from 1, or 0."

    column: int = 0
    "Where the word begins in its line, from 1, or 0."

    feature: str = ""
    "For NEVER: the feature's name in the table of features; else empty."

    def __str__(self) -> str:
        place = ":".join(map(str, filter(None, (self.file, self.line, self.column))))
        return f"{place}: {self.text}" if place else self.text
