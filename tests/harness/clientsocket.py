"""The socket of a blocking client."""

from __future__ import annotations

import socket
import ssl

from patience import SILENCE
from server import HOST


def connect(
    port: int,
    *,
    timeout: float = 15,
    buffer: int = 0,
    source: str = "",
    before: bytes = b"",
    tls: ssl.SSLContext | None = None,
    host: str = HOST,
) -> socket.socket:
    """Connect from *source* (empty: the system chooses), send *before*, then greet *host* with TLS.

    *timeout*: of each read and write, seconds. *buffer*: SO_RCVBUF, bytes; 0: the default of the kernel.
    """
    sock = socket.socket()
    sock.settimeout(timeout * SILENCE)
    if buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    if source:
        sock.bind((source, 0))
    sock.connect((HOST, port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if before:
        sock.sendall(before)
    return tls.wrap_socket(sock, server_hostname=host) if tls is not None else sock
