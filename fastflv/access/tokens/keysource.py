"""Sets of keys that change while the server runs, as rules see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fastflv.access.rule import Waiting
from fastflv.access.tokens.key import Key


class KeySource(Protocol):
    """One JWK set, in a file or at a URL."""

    @property
    def keys(self) -> tuple[Key, ...]:
        """Its present keys; none before it was read."""

    @property
    def read(self) -> bool:
        """It was read once at least, so a key that it has not is no key."""

    def renew(self, done: Callable[[], None]) -> Waiting | None:
        """Read it again for a key that it has not; call *done* afterwards. None: it was read a moment ago."""
