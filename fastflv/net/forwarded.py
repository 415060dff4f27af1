"""Header fields by which HTTP proxies announce the viewer: X-Forwarded-For, X-Real-IP, Forwarded (RFC 7239).

The list of hops is read from the right, because each proxy appends and a viewer can write the rest. The
first address that is no trusted proxy is the viewer. A hop that names no address (``unknown``, ``_hidden``,
malformed) ends the walk; the hop before it then counts as the viewer.

Where several fields are present, X-Forwarded-For wins over X-Real-IP, and both win over Forwarded. Few
proxies write Forwarded, and the others pass on whatever the viewer wrote there. A proxy must append
to or overwrite X-Forwarded-For, or remove it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from fastflv import limits
from fastflv.net.ip import canonical
from fastflv.net.networkset import NetworkSet

_NODE: Final = re.compile(
    r"(?:\[(?P<v6>[^\]]*)\]|(?P<v4>[0-9.]+))(?::(?:(?P<port>[0-9]{1,5})|_[A-Za-z0-9._-]+))?"
)
_PAIR: Final = re.compile(
    r"""[ \t]*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)=
    (?:(?P<token>[^\s",;=]+)|"(?P<quoted>(?:[^"\\]|\\.)*)")[ \t]*(?:;|$)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Hop:
    """One sender of a request, as the proxy that received the request saw it."""

    ip: str
    "Canonical address; empty where no field names one."

    port: int = 0
    "Remote port; 0 where the proxy announced none."

    secure: bool | None = None
    "Whether the request came over TLS; None where the proxy announced no protocol."


_NOBODY: Final = Hop("")


def read_viewer(fields: Mapping[str, str], trusted: NetworkSet) -> Hop:
    """Return the viewer that the *fields* of a trusted proxy announce, without address where they name none.

    *fields* has lower-case names; the lines of a repeated field are joined by commas in their order.
    """
    listed = fields.get("x-forwarded-for") or fields.get("x-real-ip")
    if listed:
        hops = (read_node(node) for node in _from_right(listed))
    else:
        hops = (_read_element(element) for element in _from_right(fields.get("forwarded", "")))
    viewer, place = _walk(hops, trusted)
    if viewer.secure is None and (protocols := fields.get("x-forwarded-proto")):
        return Hop(viewer.ip, viewer.port, _read_protocol(protocols, place))
    return viewer


def read_node(text: str) -> Hop | None:
    """Read an address with an optional port: ``1.2.3.4``, ``1.2.3.4:80``, ``2001:db8::1``, ``[2001:db8::1]:80``.

    None for anything else: ``unknown``, an obfuscated identifier, a host name (RFC 7239, 6).
    """
    text = text.strip(" \t").strip('"')
    found = _NODE.fullmatch(text)
    if found is None:
        ip = canonical(text) if ":" in text else ""
        return Hop(ip) if ip else None
    ip = canonical(found["v4"] or found["v6"])
    port = int(found["port"] or 0)
    return Hop(ip, port) if ip and port < 65536 else None


def _walk(hops: Iterable[Hop | None], trusted: NetworkSet) -> tuple[Hop, int]:
    """Return the farthest hop that trusted proxies vouch for, and its place from the right, from 1."""
    farthest, place = _NOBODY, 0
    for hop in hops:
        if hop is None:
            break
        farthest, place = hop, place + 1
        if hop.ip not in trusted:
            break
    return farthest, max(place, 1)


def _from_right(field: str) -> Iterator[str]:
    """Yield the members of a comma-separated list from the right; empty ones are left out (RFC 9110, 5.6.1).

    A comma inside a quoted string separates nothing. Quotes are counted from the right, so that an open
    quote in the viewer's own part cannot hide what a proxy appended.
    """
    end = start = len(field)
    quotes = 0
    for _ in range(limits.FORWARDED_HOPS_MAX):
        comma = field.rfind(",", 0, start)
        quotes += field.count('"', comma + 1, start)
        if quotes % 2 == 0 or comma < 0:
            member = field[comma + 1 : end].strip(" \t")
            if member:
                yield member
            end, quotes = comma, 0
        if comma < 0:
            return
        start = comma


def _read_element(element: str) -> Hop | None:
    """Read one element of Forwarded, as ``for="[2001:db8::1]:80";proto=https``; None without an address."""
    pairs = {}
    at = 0
    while at < len(element):
        found = _PAIR.match(element, at)
        if found is None or found["name"].lower() in pairs:
            return None
        pairs[found["name"].lower()] = found["token"] or re.sub(r"\\(.)", r"\1", found["quoted"] or "")
        at = found.end()
    hop = read_node(pairs.get("for", ""))
    return hop and Hop(hop.ip, hop.port, _says_tls(pairs.get("proto", "")))


def _read_protocol(field: str, place: int) -> bool | None:
    """Read the protocol that hop *place* from the right used; a list with fewer members begins with it."""
    protocols = field.rsplit(",", limits.FORWARDED_HOPS_MAX)
    return _says_tls(protocols[max(-place, -len(protocols))].strip(" \t"))


def _says_tls(protocol: str) -> bool | None:
    return {"https": True, "wss": True, "http": False, "ws": False}.get(protocol.lower())
