"""A publisher over HTTP on a plain socket: it writes any request, well-formed or not. Blocking."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from typing import NamedTuple, Self

from flvread import Tag, flv_file
from patience import SILENCE
from server import HOST

FLV_HEADER = flv_file([])


class Answer(NamedTuple):
    """One response with a body of known length."""

    status: int
    headers: dict[str, str]
    text: str


class HttpPush:
    """One request. Its body is chunked unless *length* is given; *expect* asks for `100 Continue`."""

    def __init__(
        self,
        port: int,
        target: str,
        *,
        method: str = "POST",
        version: str = "1.1",
        length: int | None = None,
        expect: bool = False,
        headers: tuple[str, ...] = (),
        host: str = HOST,
        timeout: float = 15,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.sock = socket.create_connection((HOST, port), timeout * SILENCE)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=HOST)
        self.chunked = length is None and version == "1.1"
        lines = [f"{method} {target} HTTP/{version}", f"Host: {host}", "Content-Type: video/x-flv"]
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
        elif length is not None:
            lines.append(f"Content-Length: {length}")
        if expect:
            lines.append("Expect: 100-continue")
        self.sock.sendall("\r\n".join([*lines, *headers, "", ""]).encode())
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Close without the end of the body."""
        self.sock.close()

    # --- the body ---

    def data(self, data: bytes) -> Self:
        """Send bytes of the body, as one chunk where it is chunked."""
        self.sock.sendall(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)
        return self

    def tags(self, tags: Iterable[Tag]) -> Self:
        """Send tags without the FLV header."""
        return self.data(flv_file(list(tags))[len(FLV_HEADER) :])

    def begin(self, tags: Iterable[Tag]) -> Self:
        """Send the FLV header and tags."""
        return self.data(flv_file(list(tags)))

    def finish(self) -> Answer:
        """End the body; return the answer."""
        if self.chunked:
            self.sock.sendall(b"0\r\n\r\n")
        return self.answer()

    # --- the answer ---

    def answer(self) -> Answer:
        """Read one response; an interim one has no body."""
        head = self._read_to(b"\r\n\r\n").decode("latin-1").split("\r\n")
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
        }
        status = int(head[0].split()[1])
        length = int(fields.get("content-length", "0"))
        while len(self._rest) < length:
            self._receive()
        text, self._rest = self._rest[:length], self._rest[length:]
        return Answer(status, fields, text.decode())

    def closed(self) -> bool:
        """Whether nothing but the end of the connection follows."""
        try:
            return not self._rest and not self.sock.recv(65536)
        except ConnectionError:
            return True

    def _read_to(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._receive()
        found, _, self._rest = self._rest.partition(mark)
        return found

    def _receive(self) -> None:
        data = self.sock.recv(65536)
        assert data, f"closed within an answer: {self._rest!r}"
        self._rest += data
