"""A WebSocket client on a plain socket: it shows every frame, forgives nothing, and sends whatever it is told.

Spec: RFC 6455, 5.
"""

from __future__ import annotations

import base64
import hashlib
import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from clientsocket import connect
from flvread import VIDEO, FlvReader, Tag
from server import HOST

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Frame(NamedTuple):
    opcode: int
    payload: bytes


def encode(
    opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, rsv: int = 0
) -> bytes:
    """One frame, by default as a client sends it."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    size, bit = len(payload), masked << 7
    if size < 126:
        head += bytes([bit | size])
    elif size < 1 << 16:
        head += bytes([bit | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + size.to_bytes(8, "big")
    if not masked:
        return head + payload
    mask = os.urandom(4)
    stream = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return head + mask + (int.from_bytes(payload, "big") ^ stream).to_bytes(size, "big")


def farewell(code: int, reason: str = "") -> bytes:
    """The payload of a close frame."""
    return code.to_bytes(2, "big") + reason.encode()


class WebSocket:
    """One WebSocket and what came over it. Pings are answered unless it is told to be rude."""

    def __init__(
        self,
        port: int,
        target: str,
        *,
        tls: ssl.SSLContext | None = None,
        buffer: int = 0,
        timeout: float = 15,
        more: dict[str, str | None] | None = None,
        behind: bytes = b"",
        flv: bool = True,
        polite: bool = True,
        source: str = "",
    ) -> None:
        """*more*: header fields, None to leave one out. *behind*: bytes sent in one piece with the request.

        *source*: the address to connect from.
        """
        self.sock = connect(port, timeout=timeout, buffer=buffer, source=source, tls=tls)
        fields: dict[str, str | None] = {
            "Host": HOST,
            "Connection": "keep-alive, Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            **(more or {}),
        }
        lines = [f"GET {target} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items() if v is not None)]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode() + behind)
        key = (fields["Sec-WebSocket-Key"] or "").encode()
        self._accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        self._wire = bytearray()
        self._is_flv = flv
        self.polite = polite
        self.status = 0
        self.headers: dict[str, str] = {}
        self.messages: list[bytes] = []
        self.pings: list[bytes] = []
        self.pongs: list[bytes] = []
        self.flv = FlvReader()
        self.code = 0
        "Of the server's close frame; 1005 when it had none."
        self.reason = ""
        self.ended = False
        "The server closed the connection."

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(self, *failure: object) -> None:
        self.sock.close()

    # --- saying ---

    def send(self, opcode: int, payload: bytes = b"", **how: int) -> None:
        self.raw(encode(opcode, payload, **how))  # type: ignore[arg-type]

    def raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    # --- hearing ---

    def head(self) -> WebSocket:
        """Read the answer to the handshake; an acceptance must be a right one."""
        while not self.status:
            at = self._wire.find(b"\r\n\r\n")
            if at < 0:
                assert self._more(), f"closed within the head: {bytes(self._wire)!r}"
                continue
            first, *rest = self._wire[:at].decode("latin-1").split("\r\n")
            del self._wire[: at + 4]
            self.status = int(first.split()[1])
            self.headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in rest)}
            if self.status == 101:
                assert self.headers["upgrade"].lower() == "websocket"
                assert self.headers["connection"].lower() == "upgrade"
                assert self.headers["sec-websocket-accept"] == self._accept
                assert "sec-websocket-extensions" not in self.headers, "none was offered"
        return self

    def text(self) -> str:
        """The body of a refusal."""
        self.head()
        while len(self._wire) < int(self.headers["content-length"]):
            assert self._more(), "closed within the body"
        return self._wire.decode()

    def _more(self) -> bool:
        try:
            data = self.sock.recv(1 << 18)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        self._wire += data
        self.ended = not data
        return bool(data)

    def frame(self) -> Frame | None:
        """Read one frame; None at the end of the connection, which must not be within a frame."""
        self.head()
        while True:
            found = self._cut()
            if found is not None:
                return found
            if not self._more():
                assert not self._wire, f"cut within a frame, at {bytes(self._wire[:20])!r}"
                return None

    def _cut(self) -> Frame | None:
        wire = self._wire
        if len(wire) < 2:
            return None
        size, at = wire[1] & 127, 2
        assert wire[0] & 0x80, "a server has no reason to fragment"
        assert not wire[0] & 0x70, "reserved bits"
        assert not wire[1] & 0x80, "a server must not mask"
        assert wire[0] & 15 in (BINARY, CLOSE, PING, PONG), f"opcode {wire[0] & 15}"
        if size >= 126:
            at = 4 if size == 126 else 10
            if len(wire) < at:
                return None
            assert wire[0] & 15 == BINARY, "a control frame of more than 125 bytes"
            size, floor = int.from_bytes(wire[2:at], "big"), 126 if at == 4 else 1 << 16
            assert size >= floor, "a length in more bytes than it takes"
        if len(wire) < at + size:
            return None
        frame = Frame(wire[0] & 15, bytes(wire[at : at + size]))
        del wire[: at + size]
        return frame

    def step(self) -> Frame | None:
        """Read one frame, take note of it, answer a ping or a close."""
        frame = self.frame()
        if frame is None:
            return None
        assert not self.code, f"a frame behind the close frame: {frame}"
        if frame.opcode == BINARY:
            self.messages.append(frame.payload)
            if self._is_flv:
                self.flv.feed(frame.payload)
        elif frame.opcode == PING:
            self.pings.append(frame.payload)
            if self.polite:
                self.send(PONG, frame.payload)
        elif frame.opcode == PONG:
            self.pongs.append(frame.payload)
        else:
            assert len(frame.payload) != 1
            self.code = int.from_bytes(frame.payload[:2], "big") if frame.payload else 1005
            self.reason = frame.payload[2:].decode()
            if self.polite:
                # Where it answers our own close, the connection may be gone already.
                with suppress(ConnectionError):
                    self.send(CLOSE, frame.payload[:2])
        return frame

    def until(self, enough: Callable[[WebSocket], bool]) -> WebSocket:
        """Read until *enough* says so; AssertionError when the server ends it first."""
        while not enough(self):
            assert self.step() is not None, f"ended after {len(self.messages)} messages, code {self.code}"
        return self

    def frames(self, count: int, kind: int = VIDEO) -> WebSocket:
        """Read *count* more coded frames."""
        had = self.count(kind)
        return self.until(lambda me: me.count(kind) >= had + count)

    def count(self, kind: int = VIDEO) -> int:
        """Coded frames so far."""
        return sum(1 for tag in self.tags if tag.kind == kind and not tag.is_config)

    def rest(self) -> WebSocket:
        """Read to the end of the connection."""
        while self.step() is not None:
            pass
        return self

    def close(self, code: int = 1000, reason: str = "") -> WebSocket:
        """Close by the rules: say so, then read to the end."""
        self.send(CLOSE, farewell(code, reason))
        return self.rest()

    @property
    def tags(self) -> list[Tag]:
        return self.flv.tags

    @property
    def body(self) -> bytes:
        return b"".join(self.messages)
