"""Heads of responses, for each version of HTTP.

Spec: RFC 9112, 4 and 6; RFC 9113, 8.3.2.
"""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Final

from fastflv.protocols.http.message import SERVER, Response

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
"Methods that some resource of the server may take."

ALLOW: Final = ", ".join(METHODS)

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
"Interim answer that makes the client send its body."

HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade"})
"Fields that HTTP/2 does not have (RFC 9113, 8.2.2)."

LAST_CHUNK: Final = b"0\r\n\r\n"


@cache
def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"


def encode_head(status: int, fields: dict[str, str]) -> bytes:
    """Return a response head. Values must hold no line breaks: the server makes them."""
    lines = [_status_line(status)]
    lines += [f"{key}: {value}" for key, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def sized_head(response: Response, size: int, *, keep_alive: bool) -> bytes:
    """Return the head of an answer with a body of *size* bytes."""
    fields = {
        "Server": SERVER,
        "Content-Type": response.content_type,
        "Content-Length": str(size if response.size is None else response.size),
        "Connection": "keep-alive" if keep_alive else "close",
        **response.headers,
    }
    if response.endless or response.status == 304:
        del fields["Content-Length"]
    return encode_head(response.status, fields)


def h2_head(response: Response, size: int | None) -> list[tuple[str, str]]:
    """Return the head of an answer over HTTP/2; *size* of its body, None: its end tells."""
    fields = [
        (":status", str(response.status)),
        ("server", SERVER),
        ("content-type", response.content_type),
    ]
    if response.size is not None:
        size = response.size
    if size is not None and not response.endless and response.status != 304:
        fields.append(("content-length", str(size)))
    fields += [
        (name.lower(), value) for name, value in response.headers.items() if name.lower() not in HOP_BY_HOP
    ]
    return fields


def stream_head(response: Response, *, chunked: bool, keep_alive: bool) -> bytes:
    """Return the head of an answer whose end is that of its size, its last chunk, or the end of the connection."""
    fields = {
        "Server": SERVER,
        "Content-Type": response.content_type,
        **response.headers,
        "Connection": "keep-alive" if keep_alive else "close",
    }
    if response.size is not None:
        fields["Content-Length"] = str(response.size)
    elif chunked:
        fields["Transfer-Encoding"] = "chunked"
    return encode_head(response.status, fields)


def upgrade_head(protocol: str, fields: dict[str, str]) -> bytes:
    """Return the head that changes to *protocol* (RFC 9110, 7.8)."""
    return encode_head(101, {"Upgrade": protocol, "Connection": "Upgrade", **fields})


def chunk(data: bytes | bytearray | memoryview) -> bytes:
    """Return *data*, which must not be empty, as one chunk (RFC 9112, 7.1)."""
    return b"".join((b"%x\r\n" % len(data), data, b"\r\n"))
