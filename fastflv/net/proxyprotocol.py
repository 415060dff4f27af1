"""PROXY protocol, versions 1 and 2: the header that a TCP proxy puts before the bytes of its client.

The specification is https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt; sections are cited below.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final

from fastflv import limits
from fastflv.errors import ProxyHeaderError
from fastflv.net.ip import packed, spelled

LINE_BYTES_MAX: Final = 107
"Longest header of version 1 with its CRLF (section 2.1)."

FIXED_BYTES: Final = 16
"Signature, version, command, family and length of version 2 (section 2.2)."

HEADER_BYTES_MAX: Final = FIXED_BYTES + limits.PROXY_HEADER_BYTES_MAX
"Bytes that a caller has to peek at, at most, until a header is whole."

_LINE_START: Final = b"PROXY "
_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_ADDRESS_BYTES: Final = {"TCP4": 4, "TCP6": 16}
_PORT: Final = re.compile(r"0|[1-9][0-9]{0,4}")
_UNSPECIFIED, _UNIX = 0, 3
_BLOCK_BYTES: Final = {_UNSPECIFIED: 0, 1: 12, 2: 36, _UNIX: 216}
_STREAM, _DATAGRAM = 1, 2
_TLV_SSL: Final = 0x20
_CLIENT_SSL: Final = 0x01


@dataclass(frozen=True, slots=True)
class Header:
    """A whole header. Addresses are canonical; without them (`local`) the socket's own address counts."""

    size: int
    "Bytes of the header; the client's own bytes follow."

    source_ip: str = ""
    "Address of the client; empty when `local`."

    source_port: int = 0
    "Its port, 0 to 65535."

    destination_ip: str = ""
    "Address that the client connected to; empty when `local`."

    destination_port: int = 0
    "Its port, 0 to 65535."

    secure: bool = False
    "The client spoke TLS to the proxy (version 2, section 2.2.6)."

    @property
    def local(self) -> bool:
        """The proxy opened the connection by itself, or the client has no IP address."""
        return not self.source_ip


def read_header(data: bytes) -> Header | None:
    """Read the header at the start of *data*; None while the bytes are a prefix of one.

    More than `HEADER_BYTES_MAX` bytes are never needed. Raises ProxyHeaderError for bytes that no
    header begins with.
    """
    if data.startswith(_SIGNATURE):
        return _read_binary(data)
    if data.startswith(_LINE_START):
        return _read_line(data)
    if _SIGNATURE.startswith(data) or _LINE_START.startswith(data):
        return None
    raise ProxyHeaderError(f"a PROXY header was expected, not {data[:12]!r}", offset=0)


def _read_line(data: bytes) -> Header | None:
    end = data.find(b"\n", 0, LINE_BYTES_MAX)
    if end < 0:
        if len(data) < LINE_BYTES_MAX:
            return None
        raise ProxyHeaderError(
            f"a PROXY line without its end in {LINE_BYTES_MAX} bytes", offset=LINE_BYTES_MAX
        )
    if data[end - 1] != 0x0D:
        raise ProxyHeaderError("a PROXY line ends in CRLF, not in LF alone", offset=end)
    words = data[len(_LINE_START) : end - 1].decode("latin-1").split(" ")
    if words[0] == "UNKNOWN":
        return Header(end + 1)
    if words[0] not in _ADDRESS_BYTES:
        raise ProxyHeaderError(f"the family of a PROXY line cannot be {words[0]!r}", offset=6)
    if len(words) != 5:
        raise ProxyHeaderError(f"a PROXY line has 5 words after PROXY, not {len(words)}", offset=6)
    source, destination = (_read_address(word, _ADDRESS_BYTES[words[0]]) for word in words[1:3])
    source_port, destination_port = map(_read_port, words[3:])
    return Header(end + 1, source, source_port, destination, destination_port)


def _read_address(word: str, size: int) -> str:
    address = packed(word)
    if len(address) != size:
        raise ProxyHeaderError(f"a PROXY line cannot have the address {word!r}", offset=11)
    return spelled(address)


def _read_port(word: str) -> int:
    if _PORT.fullmatch(word) is None or int(word) > 65535:
        raise ProxyHeaderError(f"a PROXY line cannot have the port {word!r}", offset=11)
    return int(word)


def _read_binary(data: bytes) -> Header | None:
    """Read a header of version 2 (section 2.2). Its fixed part is judged as soon as it is there."""
    if len(data) < FIXED_BYTES:
        return None
    command, family, length = struct.unpack_from(">BBH", data, len(_SIGNATURE))
    if command not in (0x20, 0x21):
        raise ProxyHeaderError(f"version and command cannot be 0x{command:02x}", offset=12)
    family, protocol = family >> 4, family & 0x0F
    if family not in _BLOCK_BYTES or protocol > _DATAGRAM:
        raise ProxyHeaderError(f"family and protocol cannot be 0x{data[13]:02x}", offset=13)
    if length > limits.PROXY_HEADER_BYTES_MAX:
        raise ProxyHeaderError(
            f"a header body of {length} bytes; at most {limits.PROXY_HEADER_BYTES_MAX} are read", offset=14
        )
    local = command == 0x20
    if not local and length < _BLOCK_BYTES[family]:
        raise ProxyHeaderError(
            f"addresses of {_BLOCK_BYTES[family]} bytes do not fit into a header body of {length}", offset=14
        )
    end = FIXED_BYTES + length
    if len(data) < end:
        return None
    if local or family == _UNSPECIFIED:
        return Header(end)
    options = FIXED_BYTES + _BLOCK_BYTES[family]
    secure = _read_secure(data, options, end)
    if family == _UNIX or protocol != _STREAM:
        return Header(end, secure=secure)
    size = 4 if family == 1 else 16
    source, destination, source_port, destination_port = struct.unpack_from(
        f">{size}s{size}sHH", data, FIXED_BYTES
    )
    return Header(end, spelled(source), source_port, spelled(destination), destination_port, secure)


def _read_secure(data: bytes, at: int, end: int) -> bool:
    """Walk the options between *at* and *end*: whether PP2_TYPE_SSL says that the client spoke TLS."""
    secure = False
    while at < end:
        if end - at < 3:
            raise ProxyHeaderError("an option ends inside its own length", offset=at)
        kind, length = struct.unpack_from(">BH", data, at)
        if length > end - at - 3:
            raise ProxyHeaderError(f"an option of {length} bytes ends behind the header", offset=at)
        if kind == _TLV_SSL:
            if length < 5:
                raise ProxyHeaderError(f"a PP2_TYPE_SSL of {length} bytes; 5 are the least", offset=at)
            secure = bool(data[at + 3] & _CLIENT_SSL)
        at += 3 + length
    return secure
