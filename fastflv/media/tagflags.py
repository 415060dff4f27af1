"""Flags of tags, as the index of a log and `flvtag.traits` have them; `_ext/syntax/flvtag.pxd` says what they mean."""

from __future__ import annotations

from typing import Final

KEY: Final = 1
DISPOSABLE: Final = 2
CONFIG: Final = 4
COMMAND: Final = 8
NOTES: Final = 16
LEADING: Final = 32

OTHER: Final = CONFIG | COMMAND
"Of tags that are no frame."
