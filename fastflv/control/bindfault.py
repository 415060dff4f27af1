"""Why a listener cannot be opened, and what to do about it."""

from __future__ import annotations

import errno
import os

from fastflv.config.endpoint import Endpoint
from fastflv.errors import StartupError


def bind_fault(name: str, endpoint: Endpoint, error: OSError, place: str) -> StartupError:
    """Return the error for a listener *name*, as `HTTP`; *place*: with what to give it another endpoint."""
    why, advice = _reason(endpoint, error.errno or 0, place)
    return StartupError(f"cannot listen for {name} on {endpoint}: {why}; {advice}")


def _reason(endpoint: Endpoint, number: int, place: str) -> tuple[str, str]:
    why = os.strerror(number).lower()
    match number:
        case errno.EADDRINUSE:
            return why, f"stop what uses that port (see `ss -ltnp`), or choose another port {place}"
        case errno.EACCES if 0 < endpoint.port < 1024:
            return (
                f"{why}: ports below 1024 need a privilege",
                "give the process CAP_NET_BIND_SERVICE (AmbientCapabilities= in a systemd unit) or a socket of systemd, "
                f"or choose a port from 1024 on {place}",
            )
        case errno.EADDRNOTAVAIL:
            return (
                f"no interface of this machine has the address {endpoint.host}",
                f"`ip address` shows those that it has; choose one of them, or the port alone, {place}",
            )
        case errno.EAFNOSUPPORT:
            return "this machine has no IPv6", f"choose an IPv4 address, or the port alone, {place}"
    return why, f"choose another address or port {place}"
