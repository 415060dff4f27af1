"""IP addresses as text: one spelling for each, and the bytes behind it."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

_MAPPED: Final = bytes(10) + b"\xff\xff"


def canonical(text: str) -> str:
    """Return the one spelling of the address *text*, or an empty string where *text* is no address.

    ``::ffff:1.2.3.4`` becomes ``1.2.3.4``; a scope id (``%eth0``) is cut off. Names are not looked up.
    """
    return spelled(packed(text.partition("%")[0]))


def packed(text: str) -> bytes:
    """Return the 4 or 16 bytes of an address without scope id; no bytes where *text* is no address."""
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        return b""


def spelled(address: bytes) -> str:
    """Return the spelling of 4 or 16 bytes, IPv4-mapped ones as IPv4; an empty string for no bytes."""
    if len(address) == 16:
        if not address.startswith(_MAPPED):
            return socket.inet_ntop(socket.AF_INET6, address)
        address = address[12:]
    return socket.inet_ntop(socket.AF_INET, address) if address else ""


def is_loopback(ip: str) -> bool:
    """Return whether *ip* is an address by which a machine reaches itself; a name is none."""
    try:
        return ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return False


def network_of(ip: str) -> str:
    """Return an IPv4 address as it is, and the /64 of an IPv6 address: a host has as many addresses in it as it likes."""
    if ":" not in ip:
        return ip
    address = packed(ip)
    return f"{spelled(address[:8] + bytes(8))}/64" if address else ip
