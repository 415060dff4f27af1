"""Listening sockets that a supervisor opened: systemd's socket activation, sd_listen_fds(3)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, MutableMapping

from fastflv.config.endpoint import Endpoint
from fastflv.errors import StartupError

FIRST_FD = 3
"SD_LISTEN_FDS_START."


def inherited_sockets(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """Take over the sockets that LISTEN_FDS announces to this process, and forget the variables.

    Raises StartupError for a descriptor that is no listening TCP or Unix socket.
    """
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    found = []
    for fd in range(FIRST_FD, FIRST_FD + int(count)):
        try:
            sock = socket.socket(fileno=fd)
            listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError as error:
            raise StartupError(f"descriptor {fd} of LISTEN_FDS is no socket: {error.strerror}") from error
        if not listens:
            raise StartupError(f"socket {fd} of LISTEN_FDS does not listen; use ListenStream= and Accept=no")
        os.set_inheritable(fd, False)
        sock.setblocking(False)
        found.append(sock)
    return found


def take_socket(sockets: list[socket.socket], endpoint: Endpoint) -> socket.socket | None:
    """Remove the socket bound to *endpoint* from *sockets* and return it; None where there is none."""
    for sock in sockets:
        address = sock.getsockname()
        if isinstance(address, tuple) and _is_at(address, endpoint):
            sockets.remove(sock)
            return sock
    return None


def refuse_unused(sockets: Iterable[socket.socket]) -> None:
    """Raise StartupError for the first socket that no `listen` of the configuration names."""
    for sock in sockets:
        raise StartupError(
            f"the supervisor opened {sock.getsockname()}, which no `listen` names; write it into the "
            "configuration, or remove its ListenStream="
        )


def _is_at(address: tuple[object, ...], endpoint: Endpoint) -> bool:
    host = str(address[0])
    if address[1] != endpoint.port:
        return False
    return host == endpoint.host or (not endpoint.host and host in ("::", "0.0.0.0"))
