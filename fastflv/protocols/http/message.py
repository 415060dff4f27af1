"""The head of an HTTP request, and a response whose body is in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import unquote_plus

from fastflv import __version__
from fastflv.net.peer import Peer
from fastflv.net.peertext import CONTROL

SERVER = f"fastflv/{__version__}"


@dataclass(slots=True)
class Request:
    """The head of one request. Names of headers are lower case; of equal names the first counts, but in lists of proxies."""

    method: str
    path: str
    "Percent-decoded, begins with `/`."
    query: str
    "Raw, without the `?`."
    version: str
    "`1.0`, `1.1` or `2`."
    headers: dict[str, str]
    keep_alive: bool
    "The client allows that the connection stays open."
    peer: Peer
    length: int | None = 0
    "Bytes of the body, 0 without one; None when only its end tells (chunked)."
    expects: bool = False
    "The client waits for `100 Continue` before it sends the body (RFC 9110, 10.1.1)."
    upgrade: str = ""
    "Protocol that the client asks to change to, lower case (RFC 9110, 7.8); `websocket` is the only one."

    _args: dict[str, str] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def ip(self) -> str:
        """Address of the viewer."""
        return self.peer.ip

    @property
    def args(self) -> dict[str, str]:
        """Query parameters; of equal names the first counts."""
        if self._args is None:
            self._args = {}
            for pair in self.query.split("&") if self.query else ():
                if pair:
                    key, _, value = pair.partition("=")
                    self._args.setdefault(_decoded(key), _decoded(value))
        return self._args

    def asked_by(self, peer: Peer) -> Request:
        """Return the same request of *peer*; it has no body."""
        return Request(
            self.method, self.path, self.query, self.version, self.headers.copy(), self.keep_alive, peer
        )

    def move(self, path: str, query: str) -> None:
        """Ask for *path*; *query* is added to the parameters."""
        self.path = path
        self.query = f"{self.query}&{query}" if self.query else query
        self._args = None

    @property
    def host(self) -> str:
        """Host header without the port, lower case; empty without the header."""
        host = self.headers.get("host", "").lower()
        if host.startswith("["):
            return host[1:].partition("]")[0]
        return host.partition(":")[0]

    @property
    def vhost(self) -> str:
        """The host that the query names instead of the header, as SRS reads it; else that of the header."""
        named = self.query and (self.args.get("vhost") or self.args.get("domain"))
        return named or self.host


def _decoded(text: str) -> str:
    """Decode a name or value of a query; `parse_qsl` takes thrice as long for the usual one."""
    return unquote_plus(text) if "%" in text or "+" in text else text


@dataclass(slots=True)
class Response:
    """Status, headers and a body in memory. As the head of a file or a stream, `body` is not used."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    "Further headers. `Connection: close` closes the connection after the answer."
    endless: bool = False
    "Answer to HEAD for a resource without a length."
    size: int | None = None
    "Bytes of the body of a stream, or of what HEAD asks for, where they are known and not those of `body`."
    kept: dict[bool, bytes] | None = None
    """Heads of an answer that is sent again and again; None: it is sent once. By whether it is the last one of its connection,
    for a taken socket by whether it is sent in chunks. Whoever sets it changes the answer no more."""

    @classmethod
    def of_json(cls, value: object, status: int = 200) -> Response:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        # JSON leaves C1 controls as they are, and a terminal obeys them.
        text = CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        return cls(status, text.encode(), "application/json")

    @classmethod
    def of_text(cls, status: int, text: str = "", **headers: str) -> Response:
        """*text* defaults to the name of the status; `Retry_After="5"` makes a `Retry-After: 5` header."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return cls(status, (text or HTTPStatus(status).phrase).encode(), headers=named)
