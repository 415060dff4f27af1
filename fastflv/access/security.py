"""`security { }`: who may publish and play, by address."""

from __future__ import annotations

from collections.abc import Iterable

from fastflv.access.request import AccessRequest, Action
from fastflv.access.verdict import ALLOW, Verdict, forbid
from fastflv.config.model.access import Rule as Line
from fastflv.net.networkset import NetworkSet


class SecurityRule:
    """The `allow` and `deny` lines of one block, in SRS's order.

    Any `deny` that matches refuses. Then any `allow` that matches passes. Without a match, the request is
    refused when the block has an `allow` line of either action or no line at all; else it passes. So
    `allow publish` without any `allow play` refuses all players, as in SRS.

    A peer without an address (AF_UNIX) matches `all` only.
    """

    __slots__ = ("_allow", "_deny", "_empty", "_lists")

    def __init__(self, lines: Iterable[Line]) -> None:
        """Compile *lines*; raise ValueError with one sentence for an address that cannot be read."""
        lines = tuple(lines)
        self._empty = not lines
        self._lists = any(line.allow for line in lines)
        self._deny = {action: _Peers(lines, False, action) for action in Action}
        self._allow = {action: _Peers(lines, True, action) for action in Action}

    def __call__(self, request: AccessRequest) -> Verdict:
        ip, action = request.peer.ip, request.action
        word = self._deny[action].find(ip)
        if word is not None:
            return forbid(f"'deny {action.value} {word}' matches {_spell(ip)}")
        if self._allow[action].find(ip) is not None:
            return ALLOW
        if self._lists:
            return forbid(f"no 'allow {action.value}' matches {_spell(ip)}")
        return forbid("security is enabled without any allow or deny") if self._empty else ALLOW


class _Peers:
    """The peers that the lines of one kind and action name."""

    __slots__ = ("_all", "_networks")

    def __init__(self, lines: Iterable[Line], allow: bool, action: Action) -> None:
        words = [line.peers for line in lines if line.allow is allow and line.action == action.value]
        self._all = "all" in words
        self._networks = NetworkSet(word for word in words if word != "all")

    def find(self, ip: str) -> str | None:
        """Return the word that matches *ip*, `all` first; None where none does."""
        return "all" if self._all else self._networks.find(ip)


def _spell(ip: str) -> str:
    return ip or "a local socket"
