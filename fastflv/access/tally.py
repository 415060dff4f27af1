"""How many clients there are of each kind that a limit counts."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from fastflv.access.request import AccessRequest, Action
from fastflv.config.model.limits import Kind, Scope


class Key(NamedTuple):
    """Who shares one limit."""

    vhost: str
    "Empty: a limit of the whole server."

    kind: Kind
    scope: Scope
    who: str
    "Network or stream; empty for all."


def network_of(ip: str) -> str:
    """Return the address, or the /64 of an IPv6 address: a host has as many addresses in it as it likes."""
    if ":" not in ip:
        return ip
    try:
        return str(ipaddress.IPv6Network((ip, 64), strict=False))
    except ValueError:
        return ip


def key_of(vhost: str, kind: Kind, scope: Scope, request: AccessRequest) -> Key:
    """Return the key of *request* for a limit of *vhost*."""
    who = ""
    if scope is Scope.IP:
        who = network_of(request.peer.ip)
    elif scope is Scope.STREAM:
        who = f"{request.vhost}/{request.app}/{request.stream}"
    return Key(vhost, kind, scope, who)


class Counted(NamedTuple):
    """A limit whose clients are counted."""

    vhost: str
    kind: Kind
    scope: Scope


class Tally:
    """Clients and those who wait, by the keys that limits ask for. Without such limits it holds nothing."""

    def __init__(self) -> None:
        self._wanted: tuple[Counted, ...] = ()
        self._held: dict[str, tuple[Key, ...]] = {}
        "By id of the client."
        self._counts: Counter[Key] = Counter()

    def count_by(self, wanted: Iterable[Counted], present: Iterable[AccessRequest]) -> None:
        """Count by other keys from now on: *present* are there already."""
        self._wanted = tuple(wanted)
        self._held.clear()
        self._counts.clear()
        for request in present:
            self.enter(request)

    def enter(self, request: AccessRequest) -> None:
        """A client is there; no harm when it is counted already."""
        if not self._wanted or request.client_id in self._held:
            return
        keys = tuple(
            key_of(each.vhost, each.kind, each.scope, request)
            for each in self._wanted
            if each.vhost in ("", request.vhost)
            and (each.kind is Kind.CONN or request.action is Action.PUBLISH)
        )
        self._held[request.client_id] = keys
        self._counts.update(keys)

    def leave(self, client_id: str) -> None:
        """A client is gone; no harm when it is not counted."""
        for key in self._held.pop(client_id, ()):
            left = self._counts[key] - 1
            if left:
                self._counts[key] = left
            else:
                del self._counts[key]

    def count(self, key: Key, besides: str) -> int:
        """Return how many clients have *key*, the client *besides* not counted."""
        return self._counts.get(key, 0) - (key in self._held.get(besides, ()))
