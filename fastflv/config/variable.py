"""Variables of path templates, and the texts that they stand for."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Kind(Enum):
    """The set of texts that a variable stands for."""

    PARTS = "one or more parts of a path, none of them empty"
    PIECE = "one part of a path, or a piece of one; never empty"
    NUMBER = "one or more ASCII digits"


class Variable(Enum):
    """A variable, by its name in brackets."""

    APP = "app"
    STREAM = "stream"
    SEQ = "seq"
    "Sequence number of a segment."
    DURATION = "duration"
    "Length of a segment, milliseconds."
    TIMESTAMP = "timestamp"
    "Milliseconds since 1970."
    YEAR = "2006"
    MONTH = "01"
    DAY = "02"
    HOUR = "15"
    MINUTE = "04"
    SECOND = "05"
    MILLISECOND = "999"

    @property
    def kind(self) -> Kind:
        return KINDS.get(self, Kind.NUMBER)


KINDS: Final = {Variable.APP: Kind.PARTS, Variable.STREAM: Kind.PIECE}
"Kinds of the variables that are no numbers."

Tokens = tuple[str | Variable, ...]
"A template: literal text and variables, in order; no two texts stand side by side, and none is empty."
