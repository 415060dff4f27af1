"""Writers of PROXY protocol headers, as the specification lays them out, and an obvious reader of addresses."""

from __future__ import annotations

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def plain(address: str) -> str:
    """The address as IPv4 where it is mapped, else as it stands."""
    parsed = ipaddress.ip_address(address)
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def line(source: str, source_port: int, destination: str, destination_port: int) -> bytes:
    family = f"TCP{4 if ipaddress.ip_address(source).version == 4 else 6}"
    return f"PROXY {family} {source} {destination} {source_port} {destination_port}\r\n".encode()


def option(kind: int, value: bytes) -> bytes:
    return struct.pack(">BH", kind, len(value)) + value


def tls_option(spoke_tls: bool, inner: bytes = b"") -> bytes:
    return option(0x20, struct.pack(">BI", int(spoke_tls), 0) + inner)


def block(source: str, source_port: int, destination: str, destination_port: int) -> bytes:
    addresses = b"".join(ipaddress.ip_address(each).packed for each in (source, destination))
    return addresses + struct.pack(">HH", source_port, destination_port)


def binary(body: bytes, *, command: int = 1, family: int = 0x11) -> bytes:
    return SIGNATURE + struct.pack(">BBH", 0x20 | command, family, len(body)) + body
