"""Bytes on the network interfaces of the machine, for /api/v1/summaries (`stats { network }`)."""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOOPBACK: Final = "lo"
SIOCGIFADDR: Final = 0x8915
"Asks for the IPv4 address of an interface (netdevice(7))."


@dataclass(frozen=True, slots=True)
class NetworkBytes:
    """Bytes since the interfaces came up."""

    received: int = 0
    "On the interface that is reported."

    sent: int = 0
    "On the interface that is reported."

    received_inside: int = 0
    "On loopback."

    sent_inside: int = 0
    "On loopback."


def interfaces() -> tuple[str, ...]:
    """Names of the interfaces with an IPv4 address, as the kernel numbers them, loopback last."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for _, name in socket.if_nameindex():
            with suppress(OSError):
                fcntl.ioctl(asker, SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                found.append(name)
    return tuple(sorted(found, key=lambda name: name == LOOPBACK))


def address(index: int) -> str:
    """Return the IPv4 address of the interface *index* of `interfaces`; empty for one that is not there."""
    names = interfaces()
    if index >= len(names):
        return ""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        found = fcntl.ioctl(asker, SIOCGIFADDR, struct.pack("256s", names[index].encode()[:15]))
        # A `struct ifreq`: the name, then a `struct sockaddr_in`.
        return socket.inet_ntoa(found[20:24])
    return ""


def network_bytes(
    index: int, *, names: Sequence[str] | None = None, path: str = "/proc/net/dev"
) -> NetworkBytes:
    """Read the bytes of the interface *index* of `interfaces`, and of loopback; 0 for one that is not there."""
    names = interfaces() if names is None else names
    name = names[index] if index < len(names) else ""
    rows: dict[str, tuple[int, int]] = {}
    with suppress(OSError):
        for line in Path(path).read_text("ascii", "replace").splitlines()[2:]:
            device, _, rest = line.partition(":")
            fields = rest.split()
            if len(fields) > 8:
                rows[device.strip()] = int(fields[0]), int(fields[8])
    return NetworkBytes(*rows.get(name, (0, 0)), *rows.get(LOOPBACK, (0, 0)))
