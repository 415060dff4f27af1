"""How many clients there are of each kind that a limit counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from fastflv.access.request import AccessRequest, Action
from fastflv.config.model.limits import Kind, Scope
from fastflv.net.ip import network_of


class Counted(NamedTuple):
    """A limit that is counted or measured, in words: members of an enumeration are slow keys."""

    vhost: str
    "Empty: a limit of the whole server."

    kind: str
    "As `Kind`."

    scope: str
    "As `Scope`."

    @classmethod
    def of(cls, vhost: str, kind: Kind, scope: Scope) -> Counted:
        return cls(vhost, kind.value, scope.value)


Key = tuple[Counted, str]
"Who shares one limit: a network or a stream, empty for all."

IP, STREAM = Scope.IP.value, Scope.STREAM.value
CONN = Kind.CONN.value


def key_of(counted: Counted, request: AccessRequest) -> Key:
    """Return the key of *request* for a limit."""
    if counted.scope == IP:
        return counted, network_of(request.peer.ip)
    if counted.scope == STREAM:
        return counted, f"{request.vhost}/{request.app}/{request.stream}"
    return counted, ""


class Tally:
    """Clients and those who wait, by the keys that limits ask for. Without such limits it holds nothing."""

    def __init__(self) -> None:
        self._wanted: tuple[Counted, ...] = ()
        self._held: dict[str, tuple[Key, ...]] = {}
        "By id of the client."
        self._counts: dict[Key, int] = {}

    def count_by(self, wanted: Iterable[Counted], present: Iterable[AccessRequest]) -> None:
        """Count by other keys from now on: *present* are there already."""
        self._wanted = tuple(wanted)
        self._held.clear()
        self._counts.clear()
        for request in present:
            self.enter(request)

    def enter(self, request: AccessRequest) -> None:
        """A client is there; no harm when it is counted already."""
        if not self._wanted or request.own or request.client_id in self._held:
            return
        keys = tuple(
            key_of(each, request)
            for each in self._wanted
            if each.vhost in ("", request.vhost) and (each.kind == CONN or request.action is Action.PUBLISH)
        )
        self._held[request.client_id] = keys
        for key in keys:
            self._counts[key] = self._counts.get(key, 0) + 1

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
