"""HTTP/1.x, the server's reading side: bytes in; heads, bodies, ends and refusals out.

llhttp checks the grammar. It refuses bare line feeds, folded fields, spaces before colons, repeated and
overlong Content-Length, and Content-Length beside Transfer-Encoding. This module adds the rules about Host,
versions, transfer codings, upgrades, and the bounds.

Spec: RFC 9112.
"""

from __future__ import annotations

import re
from collections import deque
from enum import Enum
from typing import Any, Final, NamedTuple

import httptools

from fastflv import limits
from fastflv.net.peer import Peer
from fastflv.protocols.http.bodyplace import CHUNKED_HEAD, BodyChunks
from fastflv.protocols.http.heads import ALLOW, METHODS
from fastflv.protocols.http.knownheads import KNOWN
from fastflv.protocols.http.message import Request, Response
from fastflv.stream.name import decode_name


class Mark(Enum):
    """Events without content."""

    END = "end"
    "The end of a message, behind its head and body."


END: Final = Mark.END


class Refusal(NamedTuple):
    """The input breaks the protocol: the last event of a connection."""

    status: int
    why: str
    allow: bool = False
    "The method is the reason."

    @property
    def response(self) -> Response:
        """What the client is answered."""
        headers = {"Allow": ALLOW} if self.allow else {}
        return Response(self.status, self.why.encode(), headers=headers)


Event = Request | bytes | Mark | Refusal
"A head, a piece of its body (never empty), the end of its message, or a refusal."

TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"

REQUEST_LINE: Final = re.compile(rb"^(" + TOKEN + rb") [!-~]+ HTTP/1\.[01]\r?\n", re.MULTILINE)

BEGUN_LINE: Final = re.compile(TOKEN + rb"(?: (?:[!-~]+(?: [HTP/.01]{0,8}\r?)?)?)?")
"The first bytes of a request line."

HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\x00-\x20/@?#\\\[\]:]+)(?::[0-9]{0,5})?")


LISTS: Final = frozenset({"x-forwarded-for", "forwarded"})
"Fields whose lines are joined (RFC 9110, 5.3): each proxy may append a line of its own."


class H1:
    """Reads the requests of one connection."""

    # Values of a new connection stand here: it costs no time to have them, and most of those that play never change one.
    failed = False
    "A Refusal was read: no more input is taken."
    in_head = False
    "The first byte of a head was read, and not its last."
    upgrading = False
    "Input waits, unread, for `take_rest` or `decline_upgrade`."
    _parser: Any = None
    "None before the first input that is not known, and in the end."
    _known: Request | None = None
    "The last input was it."
    _before = b""
    "Its bytes: a parser reads them before it goes on."
    _url = b""
    _field_bytes = 0
    _field_count = 0
    _twice = False
    "The head has more than one Host."
    _version = ""
    _begun = b""
    "A method that the last input ended in."
    _line: bytearray | None = None
    "An incomplete request line whose method llhttp does not know."
    _messages = 0
    "Messages that the last input ended."
    _first = True
    "No message has ended."
    _progress = False
    _quiet = 0
    "Bytes since a head ended or a body grew. llhttp keeps an unfinished field, so this bounds memory."
    _ignored_upgrade = False
    "The head asks for an upgrade that is not done, and has a body; llhttp ends such a message at its head."
    _replayed = False
    "The parser reads a head that was read before."
    _rest = b""
    _chunks: BodyChunks | None = None
    "Where a chunked body is; None in any other, or where its first byte was not seen."
    _begins = False
    "The last input has the first byte of a body."
    _tail = b""
    "Last bytes of an incomplete head."

    def __init__(self, peer: Peer) -> None:
        self.events: deque[Event] = deque()
        "Events that were read; the owner takes them from the left."
        self._peer = peer
        self._fields: dict[str, str] = {}
        self._pieces: list[bytes] = []
        "What the present input has of a body: chunks of one byte make one event."

    def feed(self, data: bytes) -> None:
        """Read *data*, at most `HTTP_READ_BYTES` at a time; adds to `events`. Never raises."""
        if self.failed:
            return
        if self.upgrading:
            self._rest += data
            return
        if self._line is not None:
            self._line += data
            self._judge_line(bytes(self._line))
            return
        fresh = False
        if self._parser is None:
            if self._is_known(data):
                return
            fresh = not self._before
            self._start()
        self._progress = False
        self._messages = 0
        rest = data
        while rest and not self.failed and not self.upgrading:
            try:
                self._parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
                self._after_upgrade()
            except httptools.HttpParserInvalidMethodError:
                self._end_piece()
                self._judge_line(self._begun + rest)
                return
            except httptools.HttpParserError as error:
                self._refuse(*self._reason(error))
                return
            else:
                rest = b""
        self._end_piece()
        self._follow(data)
        if self.upgrading:
            self._rest = rest
        method_cut = self.in_head and not self._url
        self._begun = (self._begun + data).rpartition(b"\n")[2] if method_cut else b""
        self._quiet = 0 if self._progress else self._quiet + len(data)
        if self._quiet > limits.HTTP_HEAD_BYTES_MAX:
            self._refuse(431, "request head, trailer or chunk framing too large")
        if fresh and not (self.upgrading or self.in_head) and len(self.events) == 2:
            request, end = self.events
            if isinstance(request, Request) and end is END:
                KNOWN.add(data, request)

    def _is_known(self, data: bytes) -> bool:
        """Take *data* as what it was before, on whichever connection; False where a parser has to read it."""
        # What follows the last message of a connection is refused.
        if self._known is not None and not self._known.keep_alive:
            return False
        known = KNOWN.find(data)
        if known is None:
            return False
        self._known, self._before = known, data
        self._first = False
        self.events.append(known.asked_by(self._peer))
        self.events.append(END)
        return True

    def _start(self) -> None:
        """Make the parser, which is behind the last message."""
        self._parser = httptools.HttpRequestParser(self)
        if self._before:
            self._replayed = True
            self._parser.feed_data(self._before)
            self._replayed = False
            self._before = b""

    def _follow(self, data: bytes) -> None:
        """Note where in its chunks a body is."""
        if self._begins:
            text = self._tail + data
            # Line ends before a request are no end of a head.
            end = text.find(b"\r\n\r\n", 0 if self._tail else len(data) - len(data.lstrip(b"\r\n")))
            self._begins = False
            if self._chunks is not None and self._messages == 0 and end >= 0:
                self._chunks.take(text, end + 4)
            else:
                # A message before it ends in the same input.
                self._chunks = None
        elif self._chunks is not None:
            self._chunks.take(data)
        self._tail = (self._tail + data)[-3:] if self.in_head else b""

    def begun(self, left: int | None) -> bytes | None:
        """What another reader reads first to go on within the present body; None where it cannot.

        *left*: bytes that are to come; None: chunks.
        """
        if left is not None:
            return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % left if left else None
        place = self._chunks.begun if self._chunks is not None else None
        return CHUNKED_HEAD + place if place is not None else None

    def go_on(self, begun: bytes) -> None:
        """Go on within a body that another reader began. *begun*: what that one has returned."""
        self.feed(begun)
        self.events.clear()

    def take_rest(self) -> bytes:
        """Return the input behind a head that asks for an upgrade, which is done. Nothing more may be fed."""
        rest, self._rest = self._rest, b""
        self.close()
        return rest

    def close(self) -> None:
        """Read no more. Frees the parser: it and this object refer to each other, and joins come in thousands."""
        self.failed = True
        self._parser = None

    def decline_upgrade(self) -> None:
        """Go on with HTTP: the upgrade is not done."""
        rest, self._rest = self._rest, b""
        self.upgrading = False
        self.feed(rest)

    # --- httptools ---

    def on_message_begin(self) -> None:
        self._progress = True
        if self._replayed:
            return
        self.in_head = True
        self._url = b""
        self._fields = {}
        self._field_bytes = self._field_count = 0
        self._twice = False

    def on_url(self, url: bytes) -> None:
        if not self._replayed:
            self._url += url
            self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers are ignored (RFC 9110, 6.5.1): they come when their request is being answered.
        if not self.in_head:
            return
        self._count(len(name) + len(value))
        self._field_count += 1
        if self._field_count > limits.HTTP_FIELDS_MAX:
            self._refuse(431, "request head has too many fields")
        key = name.decode("latin-1").lower()
        if key == "host" and "host" in self._fields:
            self._twice = True
        text = value.decode("latin-1")
        if key in LISTS and key in self._fields:
            self._fields[key] += f", {text}"
        else:
            self._fields.setdefault(key, text)

    def on_headers_complete(self) -> None:
        self._progress = True
        self.in_head = False
        if self._replayed or self.failed:
            return
        self._version = self._parser.get_http_version()
        refusal = self._check_head()
        if refusal is not None:
            self._refuse(*refusal)
            return
        request = self._request()
        if request.length is None:
            self._chunks, self._begins = BodyChunks(), True
        upgrade = self._parser.should_upgrade()
        self._ignored_upgrade = upgrade and request.length != 0
        if upgrade and request.length == 0 and self._version == "1.1" and request.method == "GET":
            request.upgrade = self._fields.get("upgrade", "").strip().lower()
            self.upgrading = request.upgrade == "websocket"
            if not self.upgrading:
                request.upgrade = ""
        self.events.append(request)

    def on_body(self, body: bytes) -> None:
        self._progress = True
        if not self.failed:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        self._progress = True
        if self._replayed:
            return
        self._messages += 1
        self._chunks = None
        self._first = False
        self._end_piece()
        if not self.failed and not self._ignored_upgrade:
            self.events.append(END)

    def _end_piece(self) -> None:
        if self._pieces:
            self.events.append(self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces))
            self._pieces.clear()

    # --- checks ---

    def _request(self) -> Request:
        path, _, query = self._url.decode("latin-1").partition("?")
        fields = self._fields
        if not path.startswith("/") and "://" in path:
            host, _, path = path.split("://", 1)[1].partition("/")
            path = f"/{path}"
            # The target's authority replaces that of the field (RFC 9112, 3.2.2).
            fields["host"] = host.rpartition("@")[2]
        length: int | None = None
        if "transfer-encoding" not in fields:
            length = int(fields.get("content-length", "0"))
        expects = self._version == "1.1" and fields.get("expect", "").strip().lower() == "100-continue"
        return Request(
            method=self._parser.get_method().decode("latin-1"),
            path=decode_name(path),
            query=query.partition("#")[0],
            version=self._version,
            headers=fields,
            keep_alive=self._parser.should_keep_alive(),
            peer=self._peer,
            length=length,
            expects=expects and length != 0,
        )

    def _check_head(self) -> tuple[int, str] | tuple[int, str, bool] | None:
        fields, version = self._fields, self._version
        if version not in ("1.1", "1.0"):
            return 505, f"HTTP/{version} is not spoken here; use HTTP/1.1"
        if self._parser.get_method() == b"CONNECT":
            return 501, "the method CONNECT is not supported", True
        if self._twice or ("host" not in fields and version == "1.1"):
            return 400, "a request has one Host field"
        if not HOST.fullmatch(fields.get("host", "-").strip()):
            return 400, "the Host field is not a host"
        coding = fields.get("transfer-encoding")
        if coding is not None:
            if version == "1.0":
                return 400, "HTTP/1.0 has no Transfer-Encoding"
            if coding.strip().lower() != "chunked":
                return 501, "a transfer coding other than chunked is not supported"
        elif not fields.get("content-length", "0").isdecimal():
            return 400, "Content-Length is not a number"
        return None

    def _reason(self, error: httptools.HttpParserError) -> tuple[int, str] | tuple[int, str, bool]:
        method = self._parser.get_method().decode("latin-1")
        if method == "PRI":
            return 505, "HTTP/2 is not spoken here; use HTTP/1.1"
        if method not in METHODS and self.in_head and self._url and not self._fields:
            return 501, f"the method {method} is not supported", True
        return 400, f"not an HTTP request: {error}"

    def _judge_line(self, text: bytes) -> None:
        """Tell an unknown method (501) from bytes that are no request line (400); wait for the end of a line.

        llhttp does not say where in *text* the line begins. It is the first one unless a message ended before.
        """
        lines = text if self._messages else text.lstrip(b"\r\n")
        begun = lines.rpartition(b"\n")[2] if self._messages else lines
        found = [*REQUEST_LINE.finditer(lines)][-1:] if self._messages else [REQUEST_LINE.match(lines)]
        method = found[0][1].decode("latin-1") if found and found[0] is not None else ""
        if method and method not in METHODS:
            # Behind a body, what seems to be the method may begin with bytes of that body.
            name = f"the method {method[:40]}" if self._first else "a method that follows a message"
            self._refuse(501, f"{name} is not supported", True)
            return
        if len(begun) > limits.HTTP_HEAD_BYTES_MAX:
            self._refuse(431, "request line too large")
        elif not BEGUN_LINE.fullmatch(begun):
            self._refuse(400, "not an HTTP request: no request line")
        else:
            self._messages = 0
            self._line = bytearray(begun)

    def _after_upgrade(self) -> None:
        """Go on behind a head that asked for an upgrade: llhttp itself reads nothing there."""
        self._parser = httptools.HttpRequestParser(self)
        if self._ignored_upgrade:
            # A parser that is fed the framing fields alone reads the body of the message.
            self._ignored_upgrade = False
            fields = {
                name: self._fields[name]
                for name in ("content-length", "transfer-encoding", "connection")
                if name in self._fields
            }
            fields["connection"] = (
                "close" if "close" in fields.get("connection", "").lower() else "keep-alive"
            )
            lines = [f"POST / HTTP/{self._version}", *(f"{name}: {value}" for name, value in fields.items())]
            self._replayed = True
            self._parser.feed_data(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
            self._replayed = False

    def _count(self, size: int) -> None:
        self._field_bytes += size
        if self._field_bytes > limits.HTTP_HEAD_BYTES_MAX:
            self._refuse(431, "request head too large")

    def _refuse(self, status: int, why: str, allow: bool = False) -> None:
        if not self.failed:
            self.failed = True
            self._end_piece()
            self.events.append(Refusal(status, why, allow))
