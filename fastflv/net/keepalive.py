"""A player that is paused says nothing and is sent nothing: the kernel asks whether it is still there."""

from __future__ import annotations

import socket
from typing import Protocol

from fastflv import limits


class Socket(Protocol):
    """As much of a socket as is used here (uvloop has its own kind)."""

    def setsockopt(self, level: int, name: int, value: int, /) -> object: ...


def keep_alive(sock: Socket) -> None:
    """Have the kernel end a connection whose peer is gone: tcp(7), SO_KEEPALIVE."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, limits.KEEPALIVE_IDLE_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, limits.KEEPALIVE_STEP_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, limits.KEEPALIVE_PROBES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
