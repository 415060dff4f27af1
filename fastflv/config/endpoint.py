"""Where a listener binds: ``port``, ``ip:port`` or ``[v6]:port``."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

SHAPE: Final = re.compile(r"(?:(?P<host>\[[^\]]*\]|[^:\[\]]*):)?(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One address to listen on."""

    host: str
    "IPv4 or IPv6 address without brackets; empty = every interface, both families where the host has them."

    port: int
    "TCP port, 1 to 65535."

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read *text*; raise ValueError with one sentence when it is no endpoint."""
        found = SHAPE.fullmatch(text)
        if found is None:
            if text.count(":") > 1 and "[" not in text:
                raise ValueError("an IPv6 address stands in brackets, as [::1]:1935")
            raise ValueError("write a port, an ip:port or an [ipv6]:port")
        port = int(found["port"])
        if not 0 < port < 65536:
            raise ValueError("a port is a number from 1 to 65535")
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

    def __str__(self) -> str:
        if not self.host:
            return str(self.port)
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
