"""The client's side of an HTTP/2 connection, without a socket: it keeps all that it is told, stream by stream."""

from __future__ import annotations

from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    InformationalResponseReceived,
    PingAckReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes, Settings
from hyperframe.frame import Frame, GoAwayFrame


@dataclass
class Answer:
    """What came on one stream."""

    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    interim: list[int] = field(default_factory=list)
    "Statuses of interim answers."
    ended: bool = False
    reset: int | None = None
    "Error code with which the server broke it off."

    @property
    def over(self) -> bool:
        return self.ended or self.reset is not None


class H2Peer:
    """Asks, and reads answers. What it has to say is returned by `take`."""

    def __init__(
        self, *, window: int = 1 << 20, connection_window: int = 1 << 24, host: str = "127.0.0.1"
    ) -> None:
        """*window*: bytes of a stream that may come before it is read; *connection_window*: of all together."""
        self.host = host
        self.answers: dict[int, Answer] = {}
        self.order: list[int] = []
        "Streams of the DATA frames that came, in their order."
        self.goaway: GoAwayFrame | None = None
        self._rest = b""
        self.pongs = 0
        self.held: set[int] = set()
        "Streams that are not read: their windows close."
        self.conn = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.conn.local_settings = Settings(
            client=True,
            initial_values={SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: window},
        )
        self.conn.initiate_connection()
        if connection_window > 65535:
            self.conn.increment_flow_control_window(connection_window - 65535)

    def take(self) -> bytes:
        return self.conn.data_to_send()

    def ask(
        self,
        path: str = "/",
        method: str = "GET",
        *more: tuple[str, str],
        body: bytes | None = None,
        end: bool = True,
        host: str | None = None,
    ) -> int:
        """Begin a request; return its stream. *end*: nothing follows *body*."""
        stream = self.conn.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "https"), (":authority", host or self.host), (":path", path)]
        self.answers[stream] = Answer()
        self.conn.send_headers(stream, [*head, *more], end_stream=end and body is None)
        if body is not None:
            self.conn.send_data(stream, body, end_stream=end)
        return stream

    def ask_socket(self, path: str, *more: tuple[str, str], version: str = "13") -> int:
        """Ask for a WebSocket on a stream (RFC 8441); return the stream."""
        stream = self.conn.get_next_available_stream_id()
        self.answers[stream] = Answer()
        head = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https")]
        head += [(":authority", self.host), (":path", path), ("sec-websocket-version", version), *more]
        self.conn.send_headers(stream, head)
        return stream

    def feed(self, data: bytes) -> None:
        """Read *data*. Streams go on behind a GOAWAY, of which the library would think otherwise."""
        self._rest += data
        while len(self._rest) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(self._rest[:9]))
            size = 9 + length
            if len(self._rest) < size:
                break
            if isinstance(frame, GoAwayFrame):
                frame.parse_body(memoryview(self._rest[9:size]))
                self.goaway = frame
            else:
                for event in self.conn.receive_data(self._rest[:size]):
                    self._note(event)
            self._rest = self._rest[size:]

    def release(self, stream: int) -> None:
        """Read on a stream that was held."""
        self.held.discard(stream)
        size = len(self.answers[stream].body)
        if size:
            self.conn.acknowledge_received_data(size, stream)

    def _note(self, event: Event) -> None:
        if isinstance(event, PingAckReceived):
            self.pongs += 1
        elif isinstance(event, InformationalResponseReceived):
            self.answers[event.stream_id].interim.append(int(dict(event.headers)[":status"]))
        elif isinstance(event, ResponseReceived):
            answer = self.answers[event.stream_id]
            fields = {str(name): str(value) for name, value in event.headers}
            answer.status = int(fields.pop(":status"))
            answer.fields = fields
        elif isinstance(event, DataReceived):
            stream = event.stream_id
            self.order.append(stream)
            self.answers[stream].body += event.data
            if stream not in self.held and event.flow_controlled_length:
                self.conn.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, StreamEnded):
            self.answers[event.stream_id].ended = True
        elif isinstance(event, StreamReset):
            self.answers[event.stream_id].reset = int(event.error_code)
