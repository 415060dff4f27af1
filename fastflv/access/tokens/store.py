"""What a server knows of tokens, whatever configuration is in force."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fastflv.access.rule import Waiting
from fastflv.access.tokens.cache import TokenCache
from fastflv.access.tokens.revocations import Revocations
from fastflv.access.tokens.uses import Uses

if TYPE_CHECKING:
    from fastflv.access.tokens.key import Key
    from fastflv.access.tokens.keysource import KeySource


class FixedKeys:
    """A set of keys that nobody reads again: that of a configuration which is tested only."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self.keys = tuple(keys)
        self.read = bool(self.keys)

    def renew(self, done: Callable[[], None]) -> Waiting | None:
        return None


class TokenStore:
    """One for each server: it outlives reloads."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        *,
        is_here: Callable[[str], bool] = lambda client: False,
        source_of: Callable[[str, Sequence[Key]], KeySource] = lambda place, keys: FixedKeys(keys),
    ) -> None:
        """*clock*: seconds since 1970. *is_here*: as `Uses` has it.

        *source_of*: the set of keys at a file or URL; what was just read of a file is given with it.
        """
        self.clock = clock
        self.source_of = source_of
        self.cache = TokenCache()
        self.revocations = Revocations()
        self.uses = Uses(is_here)
