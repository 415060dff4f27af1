"""Clients that were admitted by a token: their number of uses, the end of their time, and revocation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastflv import limits
from fastflv.access.auth import AuthRule
from fastflv.access.tokens.store import TokenStore
from fastflv.access.verdict import Allowed
from fastflv.control.keysets import KeySets
from fastflv.control.runtime import Runtime
from fastflv.net.filepool import FileShare
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason


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
        self._sets = KeySets(loop, files)
        self.store = TokenStore(is_here=self._is_here, source_of=self._sets.source_of)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        "By the id of a client whose token is to end it."

    def begin(self) -> None:
        """A configuration is in force: read its sets of keys, and enforce expiry where it is to be."""
        rules = [vhost.auth for vhost in self._runtime().vhosts.values() if vhost.auth is not None]
        self._sets.keep(source for rule in rules for source in rule.sources)
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if any(rule.enforce_expiry for rule in rules):
            for client in self._clients:
                self._schedule(client)

    async def stop(self) -> None:
        """Read no more keys."""
        await self._sets.stop()

    def drop_revoked(self) -> int:
        """Disconnect the clients whose tokens are revoked now; return how many."""
        dropped = 0
        for client in list(self._clients):
            rule = self._rule(client)
            if rule is not None and rule.revoked(client.request):
                client.drop(EndReason.REVOKED)
                dropped += 1
        return dropped

    # --- ClientWatcher ---

    def client_joined(self, client: Client) -> None:
        rule = self._rule(client)
        if rule is None:
            return
        if rule.revoked(client.request):
            # It waited for its stream while its token was revoked.
            self._loop.call_soon(client.drop, EndReason.REVOKED)
        self._schedule(client)

    def client_left(self, client: Client, reason: EndReason) -> None:
        self.store.uses.release(client.id)
        timer = self._timers.pop(client.id, None)
        if timer is not None:
            timer.cancel()

    def _rule(self, client: Client) -> AuthRule | None:
        vhost = self._runtime().vhosts.get(client.request.vhost)
        return vhost.auth if vhost is not None else None

    def _is_here(self, client: str) -> bool:
        return self._clients.find(client) is not None or self._clients.arrivals.find(client) is not None

    def _schedule(self, client: Client) -> None:
        rule = self._rule(client)
        end = rule.expires(client.request) if rule is not None else None
        if end is not None:
            # The clocks of servers are set now and then: the time is looked at again when it is due.
            seconds = max(end - self.store.clock(), limits.TOKEN_END_STEP_SECONDS)
            self._timers[client.id] = self._loop.call_later(seconds, self._expire, client)

    def _expire(self, client: Client) -> None:
        del self._timers[client.id]
        rule = self._rule(client)
        if rule is None:
            return
        if isinstance(rule.recheck(client.request), Allowed):
            self._schedule(client)
        else:
            client.drop(EndReason.EXPIRED)
