"""Clients that come through a proxy: bytes of their choice before TLS and protocol, from an address of their choice."""

from __future__ import annotations

import ssl
from typing import Self

from clientsocket import connect
from rtmpplayer import RtmpPlayer
from server import HOST


class HttpClient:
    """An HTTP client that knows no more than heads and lengths."""

    def __init__(
        self, port: int, *, before: bytes = b"", source: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self.sock = connect(port, before=before, source=source, tls=tls)
        self.status = 0
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.sock.close()

    def ask(self, target: str, *fields: str, method: str = "GET", host: str = "x") -> Self:
        """Send a request and read the head of its answer."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *fields, "", ""]
        self.sock.sendall("\r\n".join(lines).encode())
        return self.heard()

    def heard(self) -> Self:
        """Read the head of an answer."""
        while b"\r\n\r\n" not in self._rest:
            self._receive()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        return self

    def text(self) -> str:
        """Read a body of known length."""
        length = int(self.headers["content-length"])
        while len(self._rest) < length:
            self._receive()
        text, self._rest = self._rest[:length], self._rest[length:]
        return text.decode()

    def media(self) -> Self:
        """Read the first bytes of a live answer."""
        assert self.status == 200, self.status
        while len(self._rest) < 100:
            self._receive()
        return self

    def _receive(self) -> None:
        data = self.sock.recv(65536)
        assert data, f"closed within an answer: {self._rest!r}"
        self._rest += data


def rtmp_player(
    port: int, *, before: bytes = b"", source: str = "", tls: ssl.SSLContext | None = None
) -> RtmpPlayer:
    """Return a player that has sent *before* and greeted with TLS."""
    player = RtmpPlayer(port, source=source)
    player.raw(before)
    if tls is not None:
        player.sock = tls.wrap_socket(player.sock, server_hostname=HOST)
    return player
