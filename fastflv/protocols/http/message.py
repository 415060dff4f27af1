"""HTTP requests and responses, as far as a media server needs them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl

from fastflv import __version__, limits

SERVER = f"fastflv/{__version__}"


@dataclass(slots=True)
class Request:
    """One request; header names are lower case, of equal names the first counts."""

    method: str
    path: str
    "Percent-decoded, begins with `/`."
    query: str
    "Raw, without the `?`."
    version: str
    "`1.0` or `1.1`."
    headers: dict[str, str]
    keep_alive: bool
    "The client does not mind if the connection stays."
    ip: str
    "Address of the socket's peer."
    body: bytes = b""

    @property
    def args(self) -> dict[str, str]:
        """Query parameters; of equal names the first counts."""
        args: dict[str, str] = {}
        for key, value in parse_qsl(self.query, keep_blank_values=True):
            args.setdefault(key, value)
        return args

    @property
    def host(self) -> str:
        """Host header without the port, lower case; empty without the header."""
        host = self.headers.get("host", "").lower()
        if host.startswith("["):
            return host[1:].partition("]")[0]
        return host.partition(":")[0]


@dataclass(slots=True)
class Response:
    """A response with a whole body."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    endless: bool = False
    "The answer to HEAD for something that has no length."

    @classmethod
    def of_json(cls, value: object, status: int = 200) -> Response:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return cls(status, text.encode(), "application/json")

    @classmethod
    def of_text(cls, status: int, text: str = "", **headers: str) -> Response:
        """*text* defaults to the name of the status; `Retry_After="5"` makes a `Retry-After: 5` header."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return cls(status, (text or HTTPStatus(status).phrase).encode(), headers=named)

    def encode(self, *, keep_alive: bool, head_only: bool = False) -> bytes:
        fields = {
            "Server": SERVER,
            "Content-Type": self.content_type,
            "Content-Length": str(len(self.body)),
            "Connection": "keep-alive" if keep_alive else "close",
            **self.headers,
        }
        if self.endless:
            del fields["Content-Length"]
        head = encode_head(self.status, fields)
        return head if head_only or self.is_large else head + self.body

    @property
    def is_large(self) -> bool:
        """The body is written by itself, behind what `encode` returns: it is shared with other answers."""
        return len(self.body) > limits.HTTP_COPY_BYTES_MAX


def encode_head(status: int, fields: dict[str, str]) -> bytes:
    """Return a response head. Values must hold no line breaks: they are ours, never the peer's."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{key}: {value}" for key, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def cors_fields(request: Request) -> dict[str, str]:
    """Return the CORS headers for a request that names an origin; any origin may read, without credentials."""
    if "origin" not in request.headers:
        return {}
    return {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, DELETE, OPTIONS",
        "Access-Control-Allow-Headers": request.headers.get("access-control-request-headers", "*"),
        "Access-Control-Expose-Headers": "*",
        "Access-Control-Max-Age": "86400",
        # Chrome asks a page on a public address for this before it may read from a private one.
        "Access-Control-Allow-Private-Network": "true",
    }
