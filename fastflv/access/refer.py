"""`refer { }`: the sites whose pages may embed a player or a publisher."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from fastflv.access.request import AccessRequest, Action
from fastflv.access.verdict import ALLOW, Verdict, forbid
from fastflv.config.model.access import Refer

_AUTHORITY: Final = re.compile(r"(?:(?:[A-Za-z][A-Za-z0-9+.-]*:)?//)?([^/?#\\]*)")
_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]*)?")


class ReferRule:
    """The host of the page must end with a listed site: with one of `all`, and with one of the action's list.

    An empty list passes all. With a list, a client without a page is refused, as in SRS: encoders and
    most native players name none.

    SRS compares the plain end of the host, so that `example.com` lets `evilexample.com` pass. Here a site
    matches itself and its subdomains; `.example.com` and `*.example.com` match the subdomains only.
    """

    __slots__ = ("_lists",)

    def __init__(self, refer: Refer) -> None:
        """Compile the lists; raise ValueError with one sentence for a word that is no site."""
        common = _Sites("all", refer.all)
        self._lists = {
            Action.PUBLISH: (common, _Sites("publish", refer.publish)),
            Action.PLAY: (common, _Sites("play", refer.play)),
        }

    def __call__(self, request: AccessRequest) -> Verdict:
        host = host_of(request.page_url)
        for sites in self._lists.get(request.action, self._lists[Action.PLAY][:1]):
            if not sites.hold(host):
                page = f"the page host '{host}'" if host else "a client without a page"
                return forbid(f"refer '{sites.line}' does not list {page}")
        return ALLOW


class _Sites:
    """One list of sites."""

    __slots__ = ("_ends", "_parents", "line")

    def __init__(self, name: str, words: Iterable[str]) -> None:
        words = tuple(words)
        self.line = " ".join((name, *words))
        self._ends = tuple(f".{read_site(word)}" for word in words if not word.startswith((".", "*.")))
        self._parents = tuple(
            f".{read_site(word.lstrip('*')[1:])}" for word in words if word.startswith((".", "*."))
        )

    def hold(self, host: str) -> bool:
        """Return whether *host* is listed, or the list is empty."""
        if not self._ends and not self._parents:
            return True
        return f".{host}".endswith(self._ends) or host.endswith(self._parents)


def read_site(word: str) -> str:
    """Return the host that *word* names, international names in their ASCII form (RFC 3490).

    Raises ValueError with one sentence for a word that is no host, host:port or URL.
    """
    try:
        host = host_of(word if word.isascii() else word.encode("idna").decode())
    except UnicodeError:
        host = ""
    if not host:
        raise ValueError(f"'{word}' is no site; write a host as example.com")
    return host


def host_of(url: str) -> str:
    """Return the host of *url* in lower case, without port; empty where there is none.

    The scheme may be missing. A backslash ends the host as a slash does, because browsers read it so.
    """
    authority = _AUTHORITY.match(url)
    found = _HOST.fullmatch(authority[1].rpartition("@")[2]) if authority else None
    return (found[1] or found[2]).lower().removesuffix(".") if found else ""
