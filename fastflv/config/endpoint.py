"""Where a listener binds: ``port``, ``ip:port`` or ``[v6]:port``."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

SHAPE: Final = re.compile(r"(?:(?P<host>\[[^\]]*\]|[^:\[\]]*):)?(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One address to listen on."""

    host: str
    "IPv4 or IPv6 address without brackets; empty = every interface, both families where the host has them."

    port: int
    "TCP port, 1 to 65535; 0 = a free one, which the kernel chooses."

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read *text*; raise ValueError with one sentence when it is no endpoint."""
        found = SHAPE.fullmatch(text)
        if found is None:
            if text.count(":") > 1 and "[" not in text:
                raise ValueError("an IPv6 address stands in brackets, as [::1]:1935")
            raise ValueError("write a port, an ip:port or an [ipv6]:port")
        port = int(found["port"])
        if port > 65535:
            raise ValueError("a port is a number from 1 to 65535, or 0 for a free one")
        host = found["host"] or ""
        if host:
            bare = host.strip("[]")
            try:
                address = ipaddress.ip_address(bare)
            except ValueError:
                raise ValueError(f"{host} is not an IP address; names are not looked up here") from None
            if (address.version == 6) != host.startswith("["):
                raise ValueError("brackets are for IPv6 addresses, and only for them")
            host = bare
        return cls(host, port)

    def overlaps(self, other: Endpoint) -> bool:
        """True when the two cannot be bound side by side: one port, which is not 0, and an address in common."""
        if not self.port or self.port != other.port:
            return False
        if not self.host or not other.host:
            return True
        mine, its = ipaddress.ip_address(self.host), ipaddress.ip_address(other.host)
        return mine == its or (mine.version == its.version and (mine.is_unspecified or its.is_unspecified))

    def covers(self, other: Endpoint) -> bool:
        """True when whoever connects to *other* would reach a listener here."""
        if not self.port:
            return False
        if not self.host:
            return self.port == other.port
        mine = ipaddress.ip_address(self.host)
        return self == other or (mine.is_unspecified and bool(other.host) and self.overlaps(other))

    def __str__(self) -> str:
        if not self.host:
            return str(self.port)
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def uncovered(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """The endpoints that no other one covers, each once: `1935 [::]:1935`, as SRS's files have it, is one socket."""
    distinct = tuple(dict.fromkeys(endpoints))
    return tuple(
        each for each in distinct if not any(other != each and other.covers(each) for other in distinct)
    )


def same_ports(one: tuple[Endpoint, ...], other: tuple[Endpoint, ...]) -> bool:
    """Both listeners have the same endpoints, so that one socket serves both; free ports are never the same."""
    return one == other and all(endpoint.port for endpoint in one)
