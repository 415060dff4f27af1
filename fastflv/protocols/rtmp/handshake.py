"""The RTMP handshake, both sides, without a socket.

A server answers S0, S1 and S2 as soon as C0 and C1 are there, and reads C2 without checking it: real
clients echo carelessly. A client that signed its C1 (Flash, FFmpeg) gets signed answers, in its layout.

Spec: RTMP 1.0, 5.2. The digest form was never published by Adobe; what is here is what clients send.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from enum import Enum
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final, TypeAlias

from fastflv import limits
from fastflv.errors import HandshakeError

if TYPE_CHECKING:
    from typing_extensions import Buffer

VERSION: Final = 3
PACKET: Final = 1536  # bytes of C1, S1, C2 and S2
DIGEST: Final = 32
PROXY: Final = 0xF3  # a byte no version can have: 32 and up are forbidden

_TAIL: Final = bytes.fromhex("F0EEC24A8068BEE82E00D0D1029E7E576EEC5D2D29806FAB93B8E636CFEB31AE")
CLIENT_TEXT: Final = b"Genuine Adobe Flash Player 001"
SERVER_TEXT: Final = b"Genuine Adobe Flash Media Server 001"
SERVER_KEY: Final = SERVER_TEXT + _TAIL

Noise: TypeAlias = Callable[[int], bytes]
"""Returns that many random bytes, as `os.urandom` does. They tell endpoints apart (5.2.3) and hide nothing. To stretch a
seed by a hash of OpenSSL would bring 1 MB of its code into the process, which a simple handshake does without."""

_SERVER_VERSION: Final = b"\x04\x05\x00\x01"  # not zero says "signed", as FMS 4.5


class Form(Enum):
    """How a client greets; the value is where its digest block begins in C1, or -1."""

    SIMPLE = -1
    SCHEMA0 = 8 + 764
    SCHEMA1 = 8


def digest_at(packet: Buffer, form: Form) -> int:
    """Offset of the 32 digest bytes in C1 or S1: its block begins with four bytes whose sum places it."""
    view = memoryview(packet)
    return form.value + 4 + sum(view[form.value : form.value + 4]) % 728


def sign(key: bytes, packet: Buffer, at: int) -> bytes:
    """HMAC-SHA256 over *packet* without the 32 bytes at *at*."""
    view = memoryview(packet)
    mac = hmac.new(key, view[:at], hashlib.sha256)
    mac.update(view[at + DIGEST :])
    return mac.digest()


def form_of(c1: bytes) -> Form:
    """Tell how C1 was made: schema 0, schema 1, or simple when no digest holds."""
    if c1[4:8] != bytes(4):
        for form in (Form.SCHEMA0, Form.SCHEMA1):
            at = digest_at(c1, form)
            if hmac.compare_digest(sign(CLIENT_TEXT, c1, at), c1[at : at + DIGEST]):
                return form
    return Form.SIMPLE


class ServerHandshake:
    """The server's side. Feed it bytes until `done`; write what `take_output` gives.

    *noise* is asked for the random part once C1 is there.
    """

    __slots__ = ("_buffer", "_noise", "_output", "_step", "form", "proxy_ip")

    form: Form | None
    "How the client greeted; None before C1."

    proxy_ip: str
    "IPv4 address that a proxy wrote before C0, or empty. Anyone can write it: for logs only."

    def __init__(self, noise: Noise) -> None:
        self._noise = noise
        self._buffer = bytearray()
        self._output = b""
        self._step = ServerHandshake._read_version
        self.form = None
        self.proxy_ip = ""

    @property
    def done(self) -> bool:
        """Whether C2 has arrived whole."""
        return self._step is ServerHandshake._finished

    def receive(self, data: Buffer) -> int:
        """Take bytes; return how many were used. What follows C2 is never touched.

        Raises HandshakeError when the version is not 3 or the proxy prefix is too long.
        """
        view = memoryview(data)
        used = 0
        while want := self._step(self, False):
            part = view[used : used + want - len(self._buffer)]
            self._buffer += part
            used += len(part)
            if len(self._buffer) < want:
                break
            self._step(self, True)
        return used

    def take_output(self) -> bytes:
        """Hand over the bytes to write now, and forget them."""
        output, self._output = self._output, b""
        return output

    # Each step, asked, says how many bytes it needs; told that they are there, it uses them.

    def _read_version(self, ready: bool) -> int:
        if not ready:
            return 1
        version = self._buffer[0]
        if version == PROXY and not self.proxy_ip:
            self._step = ServerHandshake._read_proxy_size
        elif version == VERSION:
            self._step = ServerHandshake._read_c1
        else:
            raise HandshakeError(f"version {version}, only 3 is spoken", offset=0)
        self._buffer.clear()
        return 0

    def _read_proxy_size(self, ready: bool) -> int:
        if not ready:
            return 2
        size = int.from_bytes(self._buffer, "big")
        if not 4 <= size <= limits.PROXY_PREFIX_BYTES_MAX:
            raise HandshakeError(f"proxy prefix of {size} bytes", offset=1)
        self._step = ServerHandshake._read_proxy  # keeps the size in the buffer
        return 0

    def _read_proxy(self, ready: bool) -> int:
        if not ready:
            return 2 + int.from_bytes(self._buffer[:2], "big")
        self.proxy_ip = str(IPv4Address(bytes(self._buffer[2:6])))
        self._buffer.clear()
        self._step = ServerHandshake._read_version
        return 0

    def _read_c1(self, ready: bool) -> int:
        if not ready:
            return PACKET
        c1 = bytes(self._buffer)
        self._buffer.clear()
        self.form = form_of(c1)
        self._output = bytes([VERSION]) + _answer(c1, self.form, self._noise)
        self._step = ServerHandshake._read_c2
        return 0

    def _read_c2(self, ready: bool) -> int:
        if not ready:
            return PACKET
        self._buffer.clear()
        self._step = ServerHandshake._finished
        return 0

    def _finished(self, ready: bool) -> int:
        return 0


def _answer(c1: bytes, form: Form, noise: Noise) -> bytes:
    """S1 and S2."""
    if form is Form.SIMPLE:
        return bytes(8) + noise(PACKET - 8) + c1
    s1 = bytearray(bytes(4) + _SERVER_VERSION + noise(PACKET - 8))
    at = digest_at(s1, form)
    s1[at : at + DIGEST] = sign(SERVER_TEXT, s1, at)
    theirs = digest_at(c1, form)
    key = hmac.digest(SERVER_KEY, c1[theirs : theirs + DIGEST], "sha256")
    head = noise(PACKET - DIGEST)
    return bytes(s1) + head + hmac.digest(key, head, "sha256")


class ClientHandshake:
    """The client's side, simple form: what every server takes.

    *noise* as for `ServerHandshake`.
    """

    __slots__ = ("_buffer", "_output", "done")

    done: bool
    "Whether S2 has arrived whole and C2 was written."

    def __init__(self, noise: Noise) -> None:
        self._output = bytes([VERSION]) + bytes(8) + noise(PACKET - 8)
        self._buffer = bytearray()
        self.done = False

    def receive(self, data: Buffer) -> int:
        """Take bytes; return how many were used. Raises HandshakeError when the server's version is not 3."""
        if self.done:
            return 0
        view = memoryview(data)
        part = view[: 1 + 2 * PACKET - len(self._buffer)]
        before = len(self._buffer)
        self._buffer += part
        after = len(self._buffer)
        if not after:
            return 0
        if self._buffer[0] != VERSION:
            raise HandshakeError(f"server version {self._buffer[0]}, only 3 is spoken", offset=0)
        if before <= PACKET < after:  # S1 is there: it comes back as C2, without waiting for S2
            self._output += bytes(self._buffer[1 : 1 + PACKET])
        if after == 1 + 2 * PACKET:
            self.done = True
            self._buffer.clear()
        return len(part)

    def take_output(self) -> bytes:
        """Hand over the bytes to write now, and forget them."""
        output, self._output = self._output, b""
        return output
