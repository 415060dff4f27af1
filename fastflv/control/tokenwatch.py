"""Clients that were admitted by a token: their number of uses, the end of their time, and revocation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fastflv import limits
from fastflv.access.tokens.grant import Grant
from fastflv.access.tokens.revocations import Revocation
from fastflv.access.tokens.store import TokenStore
from fastflv.access.verdict import Allowed
from fastflv.control.ownfiles import check_own_module
from fastflv.control.runtime import Runtime
from fastflv.net.filepool import FileShare
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason

if TYPE_CHECKING:
    from fastflv.access.auth import AuthRule
    from fastflv.access.tokens.key import Key
    from fastflv.access.tokens.keysource import KeySource
    from fastflv.control.keysets import KeySets


class TokenWatch:
    """All of a server that goes by tokens and is no rule. A watcher of clients: it disconnects those whose token was
    revoked, or expired where that is enforced.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clients: Clients,
        files: FileShare,
        runtime: Callable[[], Runtime],
    ) -> None:
        """*runtime* returns the configuration in force; it is not asked before `begin`."""
        self._loop = loop
        self._clients = clients
        self._runtime = runtime
        self._files = files
        self._sets: KeySets | None = None
        "None: no configuration had one."
        self.store = TokenStore(is_here=self._is_here, source_of=self._source_of)
        self._grants: dict[str, Grant] = {}
        "By the id of the client that it has admitted."
        self._timers: dict[str, asyncio.TimerHandle] = {}
        "By the id of a client whose token is to end it."
        self._rules: dict[str, AuthRule] = {}
        "Of the configuration in force, by the name of the vhost."

    def begin(self) -> None:
        """A configuration is in force: read its sets of keys, and enforce expiry where it is to be."""
        vhosts = self._runtime().vhosts
        self._rules = {name: vhost.auth for name, vhost in vhosts.items() if vhost.auth is not None}
        if self._sets is not None:
            self._sets.keep(source for rule in self._rules.values() for source in rule.sources)
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._grants.clear()
        if self._rules:
            for client in self._clients:
                self._enter(client)

    async def stop(self) -> None:
        """Read no more keys."""
        if self._sets is not None:
            await self._sets.stop()

    def resume(self, client: Client) -> None:
        """Count the use of a client that another process has admitted."""
        grant = self._grants.get(client.id)
        if grant is not None:
            self.store.uses.take(grant, client.id)

    def drop_revoked(self, revocation: Revocation) -> int:
        """Disconnect the clients that *revocation* is about, some in each turn of the loop; return how many."""
        found = []
        for id, grant in self._grants.items():
            client = self._clients.find(id)
            if client is not None and revocation.takes(grant, client.request.app_stream):
                found.append(client)
        self._drop(found)
        return len(found)

    def _drop(self, clients: list[Client]) -> None:
        for client in clients[: limits.TOKEN_DROPS]:
            if self._clients.find(client.id) is client:
                client.drop(EndReason.REVOKED)
        if len(clients) > limits.TOKEN_DROPS:
            self._loop.call_soon(self._drop, clients[limits.TOKEN_DROPS :])

    # --- watchers of clients ---

    def client_joined(self, client: Client) -> None:
        grant = self._enter(client) if self._rules else None
        if grant is None:
            return
        path = client.request.app_stream
        if self.store.revocations.find(grant, path, self.store.clock()) is not None:
            # It waited for its stream while its token was revoked.
            self._loop.call_soon(client.drop, EndReason.REVOKED)

    def client_left(self, client: Client, reason: EndReason) -> None:
        if not self._rules and not self.store.uses:
            return
        id = client.id
        self.store.uses.release(id)
        if self._grants.pop(id, None) is not None and id in self._timers:
            self._timers.pop(id).cancel()

    def _enter(self, client: Client) -> Grant | None:
        rule = self._rules.get(client.request.vhost)
        grant = rule.granted(client.request) if rule is not None else None
        if rule is None or grant is None:
            return None
        self._grants[client.id] = grant
        if rule.enforce_expiry:
            self._schedule(client, grant)
        return grant

    def _source_of(self, place: str, keys: Sequence[Key]) -> KeySource:
        if self._sets is None:
            check_own_module("fastflv.control.keysets", "jwks")
            from fastflv.control.keysets import KeySets

            self._sets = KeySets(self._loop, self._files)
        return self._sets.source_of(place, keys)

    def _is_here(self, client: str) -> bool:
        return self._clients.find(client) is not None or self._clients.arrivals.find(client) is not None

    def _schedule(self, client: Client, grant: Grant) -> None:
        # The clocks of servers are set now and then: the time is looked at again when it is due.
        seconds = max(
            grant.expires + limits.TOKEN_LEEWAY_SECONDS - self.store.clock(), limits.TOKEN_END_STEP_SECONDS
        )
        self._timers[client.id] = self._loop.call_later(seconds, self._expire, client, grant)

    def _expire(self, client: Client, grant: Grant) -> None:
        del self._timers[client.id]
        rule = self._rules.get(client.request.vhost)
        if rule is None:
            return
        if isinstance(rule.recheck(client.request), Allowed):
            self._schedule(client, grant)
        else:
            client.drop(EndReason.EXPIRED)
