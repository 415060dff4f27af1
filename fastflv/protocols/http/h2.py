"""HTTP/2, the server's side: bytes in; heads, bodies, ends and windows out.

The library h2 keeps the states of streams, the windows and HPACK. This module adds the bounds of `h2budget`, the
rules about Host, an orderly GOAWAY, and WebSockets (RFC 8441).

Spec: RFC 9113.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.events import Event as LibraryEvent
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from fastflv import limits
from fastflv.net.peer import Peer
from fastflv.protocols.http.h1 import HOST, LISTS
from fastflv.protocols.http.h2budget import (
    FRAME_HEAD_BYTES,
    ErrorCode,
    Fault,
    FrameBudget,
    FrameHead,
    FrameType,
)
from fastflv.protocols.http.message import Request, Response
from fastflv.stream.name import decode_name

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"What a client says first (RFC 9113, 3.4)."

MEMORY: Final = re.compile(r"(: | from )<memory at .*")
"How HPACK names the buffer that it could not read."

WEBSOCKET: Final = "websocket"


class Asked(NamedTuple):
    """The head of a request."""

    stream: int
    request: Request
    refusal: Response | None
    "What it is answered where it breaks a rule."


class Piece(NamedTuple):
    """Bytes of a body; they count against the windows until `taken` is called."""

    stream: int
    data: bytes
    size: int
    "Bytes of the windows, padding included."


class Ended(NamedTuple):
    """The end of a request, behind its head and body."""

    stream: int


class Cancelled(NamedTuple):
    """The client takes a request back, or broke its stream."""

    stream: int


class Opened(NamedTuple):
    """The client takes more."""

    stream: int
    "0: on any stream."


Event = Asked | Piece | Ended | Cancelled | Opened


class _Library(H2Connection):
    """The library with bounds of its own."""

    MAX_CLOSED_STREAMS = limits.HTTP2_CLOSED_STREAMS
    DEFAULT_MAX_HEADER_LIST_SIZE = limits.HTTP2_LIST_BYTES_MAX


class H2:
    """Reads and writes one connection, without a socket."""

    __slots__ = (
        "_budget",
        "_conn",
        "_last",
        "_more",
        "_peer",
        "_preface",
        "_unread",
        "events",
        "fault",
        "leaving",
    )

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.events: deque[Event] = deque()
        "Events that were read; the owner takes them from the left."
        self.fault: Fault | None = None
        "Why the connection is closed: no more input is read. The output ends with a GOAWAY."
        self.leaving = False
        "One side said GOAWAY: no more requests come, or they are refused."
        self._budget = FrameBudget()
        self._preface = True
        "The preface of the client has not come."
        self._unread = bytearray()
        self._more = b""
        "Output besides the library's."
        self._last: int | None = None
        "The last stream that is answered; None: any."
        config = H2Configuration(
            client_side=False,
            header_encoding=None,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        conn = self._conn = _Library(config)
        conn.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.HEADER_TABLE_SIZE: limits.HTTP2_TABLE_BYTES,
                SettingCodes.MAX_CONCURRENT_STREAMS: limits.HTTP2_STREAMS_MAX,
                SettingCodes.INITIAL_WINDOW_SIZE: limits.HTTP2_STREAM_WINDOW,
                SettingCodes.MAX_FRAME_SIZE: limits.HTTP2_FRAME_BYTES,
                SettingCodes.MAX_HEADER_LIST_SIZE: limits.HTTP2_LIST_BYTES_MAX,
                SettingCodes.ENABLE_CONNECT_PROTOCOL: 1,
            },
        )
        conn.initiate_connection()
        conn.increment_flow_control_window(limits.HTTP2_CONNECTION_WINDOW - conn.inbound_flow_control_window)

    # --- input ---

    def feed(self, data: bytes) -> None:
        """Keep *data* for `read`."""
        if self.fault is None:
            self._unread += data

    @property
    def unread(self) -> int:
        """Bytes of input that were not read."""
        return len(self._unread)

    def read(self, now: float) -> bool:
        """Read the next frame at *now*, seconds, if it is whole: adds to `events`. False: there is none."""
        unread = self._unread
        if self.fault is not None:
            return False
        if self._preface:
            return self._read_preface()
        if len(unread) < FRAME_HEAD_BYTES:
            return False
        head = FrameHead.read(unread)
        fault = self._budget.measure(head)
        if fault is None:
            size = FRAME_HEAD_BYTES + head.length
            if len(unread) < size:
                return False
            fault = self._budget.spend(head, now)
        if fault is not None:
            self._fail(fault)
            return False
        frame = bytes(unread[:size])
        del unread[:size]
        if head.type == FrameType.GOAWAY:
            # The library would send nothing more, but streams that are open go on (RFC 9113, 6.8).
            self.leaving = True
        else:
            self._read_frame(frame)
        return True

    def _read_preface(self) -> bool:
        unread = self._unread
        if not PREFACE.startswith(unread[: len(PREFACE)]):
            self._fail(Fault(ErrorCode.PROTOCOL_ERROR, "no HTTP/2 preface"))
            return False
        if len(unread) < len(PREFACE):
            return False
        self._preface = False
        del unread[: len(PREFACE)]
        self._conn.receive_data(PREFACE)
        return True

    def _read_frame(self, frame: bytes) -> None:
        try:
            found = self._conn.receive_data(frame)
        except ProtocolError as error:
            # The library has its GOAWAY among the output.
            why = MEMORY.sub("", str(error)) or type(error).__name__
            self.fault = Fault(ErrorCode.PROTOCOL_ERROR, f"HTTP/2 is broken: {why}")
            self._unread.clear()
            return
        for event in found:
            self._translate(event)

    def _translate(self, event: LibraryEvent) -> None:
        if isinstance(event, DataReceived):
            self.events.append(Piece(event.stream_id, event.data or b"", event.flow_controlled_length or 0))
        elif isinstance(event, StreamEnded):
            self.events.append(Ended(event.stream_id))
        elif isinstance(event, WindowUpdated):
            self.events.append(Opened(event.stream_id))
        elif isinstance(event, RequestReceived):
            self._ask(event)
        elif isinstance(event, StreamReset):
            self.events.append(Cancelled(event.stream_id))
        elif isinstance(event, RemoteSettingsChanged):
            table = self._conn.encoder.header_table_size
            if table > limits.HTTP2_TABLE_BYTES:
                self._conn.encoder.header_table_size = limits.HTTP2_TABLE_BYTES
            # Windows of all streams may have changed.
            self.events.append(Opened(0))

    def _ask(self, event: RequestReceived) -> None:
        stream = event.stream_id
        if self._last is not None and stream > self._last:
            self.reset(stream, ErrorCode.REFUSED_STREAM)
            return
        fields = event.headers or []
        refusal: Response | None = None
        if len(fields) > limits.HTTP_FIELDS_MAX:
            refusal = Response.of_text(431, "request head has too many fields")
        elif sum(len(name) + len(value) for name, value in fields) > limits.HTTP_HEAD_BYTES_MAX:
            refusal = Response.of_text(431, "request head too large")
        request = self._request(fields, ended=event.stream_ended is not None)
        self.events.append(Asked(stream, request, refusal or _refusal(request)))

    def _request(self, fields: Iterable[tuple[bytes, bytes]], *, ended: bool) -> Request:
        pseudo: dict[str, str] = {}
        headers: dict[str, str] = {}
        for raw, value in fields:
            name, text = raw.decode("latin-1"), value.decode("latin-1")
            if name.startswith(":"):
                pseudo[name] = text
            elif name == "cookie" and name in headers:
                headers[name] += f"; {text}"
            elif name in LISTS and name in headers:
                headers[name] += f", {text}"
            else:
                headers.setdefault(name, text)
        if ":authority" in pseudo:
            headers["host"] = pseudo[":authority"]
        method, upgrade = pseudo.get(":method", ""), ""
        if method == "CONNECT" and pseudo.get(":protocol", "").lower() == WEBSOCKET:
            # What HTTP/1.1 says by GET and Upgrade (RFC 8441, 5).
            method, upgrade = "GET", WEBSOCKET
            headers["upgrade"] = WEBSOCKET
        path, _, query = pseudo.get(":path", "").partition("?")
        length: int | None = 0 if ended or upgrade else None
        size = headers.get("content-length", "")
        if length is None and size.isdecimal():
            length = int(size)
        return Request(
            method=method,
            path=decode_name(path),
            query=query.partition("#")[0],
            version="2",
            headers=headers,
            keep_alive=True,
            peer=self._peer,
            length=length,
            expects=length != 0 and headers.get("expect", "").strip().lower() == "100-continue",
            upgrade=upgrade,
        )

    def taken(self, stream: int, size: int) -> None:
        """*size* bytes of the windows of *stream* are free again."""
        if size and self.fault is None:
            self._conn.acknowledge_received_data(size, stream)

    # --- output ---

    def window(self, stream: int) -> int:
        """Return how many bytes of a body *stream* may be sent now, by its window and the connection's; negative or 0: none."""
        try:
            return self._conn.local_flow_control_window(stream)
        except StreamClosedError:
            return 0

    def send_head(self, stream: int, fields: Iterable[tuple[str, str]], *, end: bool = False) -> None:
        """Send the head of an answer: *fields* begin with `:status`. *end*: it has no body."""
        encoded = [
            (name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in fields
        ]
        self._conn.send_headers(stream, encoded, end_stream=end)

    def send_data(self, stream: int, data: bytes | memoryview, *, end: bool = False) -> None:
        """Send *data* of a body, as much as `window` and HTTP2_FRAME_BYTES allow. *end*: it is the last."""
        self._conn.send_data(stream, data, end_stream=end)
        self._budget.sent()

    def reset(self, stream: int, code: ErrorCode) -> None:
        """Break *stream* off; no harm when it is closed."""
        if self.fault is not None:
            return
        try:
            self._conn.reset_stream(stream, int(code))
        except StreamClosedError:
            return

    def ping(self) -> None:
        """Ask the client whether it is there."""
        self._conn.ping(b"fastflv\0")

    def leave(self) -> None:
        """Say that no further requests are answered; those that were read go on."""
        if self.fault is None:
            self.leaving = True
            self._last = self._conn.highest_inbound_stream_id
            self._say_goaway(ErrorCode.NO_ERROR, "")

    def take(self) -> bytes:
        """Return the output so far."""
        more, self._more = self._more, b""
        data = self._conn.data_to_send()
        return data + more if more else data

    def _fail(self, fault: Fault) -> None:
        self.fault = fault
        self._unread.clear()
        self._say_goaway(fault.code, fault.why)

    def _say_goaway(self, code: ErrorCode, why: str) -> None:
        # The library takes its own GOAWAY for the end of all streams.
        last = self._conn.highest_inbound_stream_id if self._last is None else self._last
        frame = GoAwayFrame(0, last_stream_id=last, error_code=int(code), additional_data=why.encode())
        self._more += self._conn.data_to_send() + frame.serialize()


def _refusal(request: Request) -> Response | None:
    """Return what a request is answered that breaks a rule which the library does not know."""
    headers = request.headers
    if request.method == "CONNECT":
        return Response.of_text(501, "the method CONNECT is not supported")
    if not HOST.fullmatch(headers.get("host", "").strip()):
        return Response.of_text(400, "the :authority field is not a host")
    if not request.path.startswith("/") and request.path != "*":
        return Response.of_text(400, "the path does not begin with /")
    if "content-length" in headers and not headers["content-length"].isdecimal():
        return Response.of_text(400, "Content-Length is not a number")
    return None
