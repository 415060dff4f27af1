"""Tokens that were verified."""

from __future__ import annotations

from collections import OrderedDict

from fastflv import limits
from fastflv.access.tokens.grant import Grant


class TokenCache:
    """Verified tokens of a server by their hash, oldest first. A grant counts as long as its key is configured."""

    __slots__ = ("_grants",)

    def __init__(self) -> None:
        # The first of a dict is found past all that were taken out before it: 7 us beside 0.3.
        self._grants: OrderedDict[tuple[bytes, str, str], Grant] = OrderedDict()

    def __len__(self) -> int:
        return len(self._grants)

    def find(self, key: tuple[bytes, str, str]) -> Grant | None:
        return self._grants.get(key)

    def add(self, key: tuple[bytes, str, str], grant: Grant) -> None:
        if len(self._grants) >= limits.TOKEN_CACHE_MAX:
            self._grants.popitem(last=False)
        self._grants[key] = grant
