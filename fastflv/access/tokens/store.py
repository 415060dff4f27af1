"""What a server remembers of tokens, whatever configuration is in force."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastflv.access.tokens.verifier import TokenCache


class TokenStore:
    """One for each server: it outlives reloads."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """*clock*: seconds since 1970."""
        self.clock = clock
        self.cache = TokenCache()
