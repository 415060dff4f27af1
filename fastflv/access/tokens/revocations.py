"""Tokens that an operator has taken back before their end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from fastflv import limits
from fastflv.access.tokens.grant import Grant, covers
from fastflv.errors import UsageError


class Revocation(NamedTuple):
    """What is taken back. One of `jti` and `path` is given."""

    jti: str
    path: str
    "Without slashes at its ends; streams at it and below it."
    revoked: float
    "When, seconds since 1970: tokens issued later (`iat`) are good."
    until: float
    "When it is forgotten, seconds since 1970; infinite: never."

    def takes(self, grant: Grant, path: str) -> bool:
        """Return whether *grant* is taken back by this for the stream at *path*, as long as it counts."""
        if self.jti:
            return grant.id == self.jti
        return grant.issued <= self.revoked and covers(self.path, path)


class Revocations:
    """At most REVOKED_MAX at once; one that is full refuses the next, it never forgets one that still counts."""

    def __init__(self) -> None:
        self._ids: dict[str, Revocation] = {}
        self._paths: dict[str, Revocation] = {}

    def __len__(self) -> int:
        return len(self._ids) + len(self._paths)

    def __iter__(self) -> Iterator[Revocation]:
        """Oldest first, those of paths last."""
        yield from self._ids.values()
        yield from self._paths.values()

    def add(self, now: float, *, jti: str = "", path: str = "", until: float = math.inf) -> Revocation:
        """Take back the token *jti*, or all that were issued before *now* for the streams at or below *path*.

        Raises UsageError when there is no room.
        """
        path = path.strip("/")
        made = Revocation(jti, path, now, until)
        store, key = (self._ids, jti) if jti else (self._paths, path)
        if key not in store and len(self) >= limits.REVOKED_MAX:
            self.forget(now)
            if len(self) >= limits.REVOKED_MAX:
                raise UsageError(f"{limits.REVOKED_MAX} revocations are kept already; change the key instead")
        store.pop(key, None)
        store[key] = made
        return made

    def resume(self, made: Revocation) -> None:
        """Keep one that another process has made."""
        if len(self) < limits.REVOKED_MAX:
            store, key = (self._ids, made.jti) if made.jti else (self._paths, made.path)
            store[key] = made

    def lift(self, *, jti: str = "", path: str = "") -> bool:
        """Forget a revocation; return whether there was one."""
        return (self._ids.pop(jti, None) if jti else self._paths.pop(path.strip("/"), None)) is not None

    def forget(self, now: float) -> None:
        """Forget those that are over."""
        for store in (self._ids, self._paths):
            for key in [key for key, each in store.items() if each.until <= now]:
                del store[key]

    def find(self, grant: Grant, path: str, now: float) -> Revocation | None:
        """Return what takes *grant* back for the stream at *path*; None while it is good."""
        if not self._ids and not self._paths:
            return None
        found = self._ids.get(grant.id)
        if found is not None and now < found.until:
            return found
        # From the path up: as many look-ups as it has segments.
        while self._paths:
            found = self._paths.get(path)
            if found is not None and now < found.until and grant.issued <= found.revoked:
                return found
            if not path:
                break
            path = path.rpartition("/")[0]
        return None
