"""A set of IP networks, compiled once and asked for each connection: `trusted_proxies`, `allow` and `deny`."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from fastflv.net.ip import packed

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def read_network(word: str) -> Network:
    """Read an address or a network as 10.0.0.0/8; raise ValueError with one sentence for any other word.

    Bits behind the prefix are ignored. A network inside ``::ffff:0:0/96`` is read as the IPv4 network.
    """
    try:
        network = ipaddress.ip_network(word, strict=False)
    except ValueError:
        raise ValueError(f"'{word}' is neither an IP address nor a network as 10.0.0.0/8") from None
    mapped = network.network_address.ipv4_mapped if network.version == 6 else None
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - 96))


class NetworkSet:
    """Networks of both families. A look-up costs one dictionary access for each distinct prefix length."""

    __slots__ = ("_tables4", "_tables6")

    def __init__(self, words: Iterable[str] = ()) -> None:
        """Compile *words*; raise ValueError with one sentence for the first word that is no network."""
        tables: dict[int, dict[int, dict[int, str]]] = {4: {}, 6: {}}
        for word in words:
            network = read_network(word)
            shift = network.max_prefixlen - network.prefixlen
            table = tables[network.version].setdefault(shift, {})
            table.setdefault(int(network.network_address) >> shift, word)
        self._tables4 = tuple(sorted(tables[4].items()))
        self._tables6 = tuple(sorted(tables[6].items()))

    def find(self, ip: str) -> str | None:
        """Return the word of the smallest network that holds *ip*; None without one, or for no address.

        *ip* is spelled as `fastflv.net.ip.canonical` does.
        """
        address = packed(ip)
        number = int.from_bytes(address, "big")
        for shift, table in self._tables4 if len(address) == 4 else self._tables6 if address else ():
            word = table.get(number >> shift)
            if word is not None:
                return word
        return None

    def __contains__(self, ip: str) -> bool:
        return self.find(ip) is not None

    def __bool__(self) -> bool:
        return bool(self._tables4 or self._tables6)
