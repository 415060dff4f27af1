"""A blocking HTTP/2 client over TLS, for servers that are processes."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from model.h2peer import Answer, H2Peer
from server import HOST
from tlsfiles import trusting


class H2Client(H2Peer):
    """One connection. Use as a context manager."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None, **more: int) -> None:
        super().__init__(host=f"{HOST}:{port}", **more)
        context = context or trusting()
        context.set_alpn_protocols(["h2", "http/1.1"])
        self.sock = context.wrap_socket(socket.create_connection((HOST, port), 15), server_hostname=HOST)
        assert self.sock.selected_alpn_protocol() == "h2"
        self.flush()

    def __enter__(self) -> H2Client:
        return self

    def __exit__(self, *failure: object) -> None:
        self.sock.close()

    def flush(self) -> None:
        self.sock.sendall(self.take())

    def step(self) -> bool:
        """Read what is there, or wait for it; False at the end of the connection."""
        data = self.sock.recv(1 << 18)
        if data:
            self.feed(data)
            self.flush()
        return bool(data)

    def until(self, done: Callable[[], bool]) -> None:
        """Read until *done*."""
        self.flush()
        while not done():
            assert self.step(), "the server closed the connection"

    def get(
        self, path: str, method: str = "GET", *more: tuple[str, str], body: bytes | None = None
    ) -> Answer:
        """Ask, and wait for the whole answer."""
        stream = self.ask(path, method, *more, body=body)
        self.until(lambda: self.answers[stream].over)
        return self.answers[stream]


def established(port: int) -> int:
    """TCP connections that a server has on its *port*, as the kernel says."""
    rows = (
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    )
    return sum(int(row[1].rpartition(":")[2], 16) == port and row[3] == "01" for row in rows)
