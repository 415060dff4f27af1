"""One RTMP client: bytes in, events and bytes out. It touches no socket and no clock.

Media of a play goes from the chunk reader to its sink, without a Python object per message.

Spec: RTMP 1.0, 5 (handshake, chunks, control), 7.1.7 (user control), 7.2 (commands); Enhanced RTMP v2,
"Enhancing NetConnection connect Command". Redirects are those of SRS ("RTMP 302").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastflv import limits
from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv.errors import CommandError, UsageError
from fastflv.media.amf import amf0
from fastflv.media.amf.values import Value
from fastflv.protocols.messagebudget import MessageBudget
from fastflv.protocols.rtmp import address, commands
from fastflv.protocols.rtmp.ackwindow import AckWindow
from fastflv.protocols.rtmp.clientevents import (
    ClientEvent,
    Connected,
    Ended,
    Failed,
    Redirected,
    Started,
    Status,
)
from fastflv.protocols.rtmp.clientstream import ClientStream
from fastflv.protocols.rtmp.connectarguments import ConnectArguments
from fastflv.protocols.rtmp.events import DataArrived
from fastflv.protocols.rtmp.handshake import ClientHandshake, Noise
from fastflv.protocols.rtmp.replies import CONNECTION_CHUNKS, CONTROL_CHUNKS
from fastflv.protocols.rtmp.states import CLIENT, ClientState, ClientStreamState

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from fastflv._ext.ingest.sink import MediaSink

STREAM_CHUNKS: Final = 8  # commands of a message stream, as FFmpeg and OBS
MEDIA_CHUNKS: Final = {8: 4, 9: 6}  # audio, video; data goes with 5
DATA_CHUNKS: Final = 5
METADATA: Final = amf0.encode("onMetaData")
SET_DATA_FRAME: Final = amf0.encode("@setDataFrame")
CONNECT: Final = 1.0  # the transaction that the specification fixes, 7.2.1.1


class ClientSession:
    """One connection to a server, which publishes or plays.

    Call `publish` and `play` at any time, from the start: the session sends the commands when their turn comes.
    After each call write what `take_output` returns. Streams end by `delete`.

    `receive` raises PeerError subclasses and nothing else; the session is of no use then. *noise* returns random
    bytes for the handshake. *chunk_size* is announced, and used for all that is sent, bytes.
    """

    __slots__ = (
        "_acks", "_arguments", "_budget", "_calls", "_handshake", "_output", "_size_to_announce", "_streams",
        "_transaction", "chunk_size", "now", "on_data", "reader", "state",
    )  # fmt: skip

    reader: ChunkReader
    "Chunks of the server. Its `received` counts bytes behind the handshake."

    state: ClientState
    "Moved by `states.CLIENT` alone."

    chunk_size: int
    "Bytes of the chunks that are sent; 128 until the handshake is over."

    now: float
    "Monotonic clock of the present read, seconds: set it before `receive`. Messages besides media are limited by it."

    on_data: Callable[[DataArrived], None] | None
    "Takes script data in its place among the media; without it, DataArrived is an event like the others."

    def __init__(
        self, arguments: ConnectArguments, *, noise: Noise, chunk_size: int = limits.CHUNK_BYTES_OUT
    ) -> None:
        self._handshake = ClientHandshake(noise)
        self._output = [self._handshake.take_output()]
        self._arguments = arguments
        self._size_to_announce = chunk_size
        self._acks = AckWindow()
        self._budget = MessageBudget()
        self._streams: list[ClientStream] = []
        self._calls: dict[float, ClientStream] = {}  # createStream without its answer, by transaction
        self._transaction = CONNECT
        self.chunk_size = 128
        self.reader = ChunkReader()
        self.state = ClientState.GREETING
        self.now = 0.0
        self.on_data = None

    # --- what the owner wants ------------------------------------------------------------------

    def publish(self, name: str) -> None:
        """Publish *name*, query included; Started gives the message stream for `write_media`.

        Raises UsageError over PUBLISHES_MAX streams of the connection.
        """
        self._want(ClientStream(name, None, 0))

    def play(self, name: str, sink: MediaSink, *, buffer_ms: int = limits.PLAY_BUFFER_MS) -> None:
        """Play *name*, query included, live or recorded; its media goes to *sink*.

        *buffer_ms* is announced to the server. Raises UsageError as `publish`.
        """
        self._want(ClientStream(name, sink, buffer_ms))

    def redirect_media(self, name: str, sink: MediaSink) -> None:
        """Send media of the play of *name* to another sink from the next message on."""
        for stream in self._streams:
            if stream.name == name and stream.sink is not None:
                stream.sink = sink
                if stream.id:
                    self.reader.set_sink(stream.id, sink)

    def delete(self, stream_id: int) -> None:
        """End the publish or play of a message stream; without one this does nothing."""
        stream = self._stream(stream_id)
        if stream is not None:
            if stream.sink is None:
                self._call("FCUnpublish", None, stream.name)
            self._call("deleteStream", None, float(stream_id))
            self._forget(stream)

    def write_media(self, stream_id: int, kind: int, timestamp: int, body: Buffer) -> bytes:
        """Return a media or data message of a publish as chunks, ready to be sent behind `take_output`.

        *kind* is 8 audio, 9 video or 18 data, *timestamp* in ms modulo 2**32. *body* is that of the FLV tag:
        `@setDataFrame` is put before onMetaData. Raises UsageError for a stream that does not publish.
        """
        stream = self._stream(stream_id)
        if stream is None or stream.sink is not None or stream.state is not ClientStreamState.STARTED:
            raise UsageError(f"media for message stream {stream_id}, which does not publish")
        if kind == commands.DATA_AMF0 and bytes(memoryview(body)[: len(METADATA)]) == METADATA:
            body = SET_DATA_FRAME + bytes(body)
        chunks = MEDIA_CHUNKS.get(kind, DATA_CHUNKS)
        return write_message(kind, timestamp & 0xFFFFFFFF, stream_id, chunks, body, self.chunk_size)

    def take_output(self) -> bytes:
        """Hand over the bytes to write now, and forget them; empty when there are none."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def _want(self, stream: ClientStream) -> None:
        if len(self._streams) >= limits.PUBLISHES_MAX:
            raise UsageError(f"more than {limits.PUBLISHES_MAX} streams on a connection")
        self._streams.append(stream)
        if self.state is ClientState.CONNECTED:
            self._create(stream)

    # --- bytes of the server -------------------------------------------------------------------

    def receive(self, data: Buffer) -> list[ClientEvent]:
        """Take bytes of the server; return the events that they complete, oldest first.

        *data* may be a view into a buffer that is used again. Raises PeerError subclasses only.
        """
        at = 0
        if self.state is ClientState.GREETING:
            at = self._handshake.receive(data)
            self._output.append(self._handshake.take_output())
            if not self._handshake.done:
                return []
            self._move("S2")
            self._connect()
        return self._run(data, self.reader.feed(data, at))

    def receive_rest(self, data: Buffer, at: int) -> list[ClientEvent]:
        """Take *data* from *at* on, behind the message that the reader shows; returns and raises as `receive`.

        For an owner that feeds the reader by itself while there is `only_media`.
        """
        return self._run(data, at)

    @property
    def only_media(self) -> bool:
        """A stream is played: whoever has the bytes may give them to the reader at once."""
        return any(stream.state is ClientStreamState.STARTED for stream in self._streams)

    @property
    def acknowledge_at(self) -> int:
        """Bytes received by the reader at which an acknowledgement is due."""
        return self._acks.due

    def acknowledge(self) -> None:
        """Acknowledge what was received, if that is due."""
        received = self.reader.received
        if received >= self._acks.due:
            self._acks.acknowledge(received)
            self._control(commands.ACKNOWLEDGEMENT, commands.u32(received))

    def _run(self, data: Buffer, at: int) -> list[ClientEvent]:
        """Handle the reader's message, feed on from *at*, and so on to the end of *data*."""
        events: list[ClientEvent] = []
        reader = self.reader
        while (message := reader.message) is not None:
            self._budget.spend(len(message[4]), self.now)
            self._message(*message, events)
            at = reader.feed(data, at)
        self.acknowledge()
        return events

    def _message(
        self,
        kind: int,
        timestamp: int,
        stream_id: int,
        chunk_stream: int,
        payload: bytes,
        events: list[ClientEvent],
    ) -> None:
        if kind in (commands.COMMAND_AMF0, commands.COMMAND_AMF3):
            self._command(commands.read_command(kind, stream_id, payload), events)
        elif kind in (commands.DATA_AMF0, commands.DATA_AMF3):
            self._data(kind, timestamp, stream_id, payload, events)
        elif kind == commands.USER_CONTROL:
            event, value = commands.read_user_control(payload)
            if event == commands.PING_REQUEST:
                self._user_control(commands.PING_RESPONSE, commands.u32(value))
            elif event == commands.STREAM_EOF and (stream := self._stream(value)) is not None:
                self._end(stream, events)
        elif kind == commands.WINDOW_SIZE:
            self._acks.set_theirs(commands.read_window(payload))

    def _data(
        self, kind: int, timestamp: int, stream_id: int, payload: bytes, events: list[ClientEvent]
    ) -> None:
        stream = self._stream(stream_id)
        if stream is None or stream.sink is None or len(payload) > limits.COMMAND_BYTES_MAX:
            return
        found = commands.read_data(kind, payload)
        if found is None:
            return
        name, body = found
        if name == "onPlayStatus":
            info = next((value for value in amf0.decode_all(body) if isinstance(value, dict)), {})
            if info.get("code") in commands.ENDED:
                self._end(stream, events)
        elif name != "|RtmpSampleAccess":
            arrived = DataArrived(timestamp, body, name, stream_id)
            if self.on_data is None:
                events.append(arrived)
            else:
                self.on_data(arrived)

    def _command(self, command: commands.Command, events: list[ClientEvent]) -> None:
        if command.name == "onStatus":
            self._status(command, events)
        elif command.name in ("_result", "_error"):
            if command.transaction == CONNECT:
                self._connected(command, events)
            elif command.transaction in self._calls:
                self._created(self._calls.pop(command.transaction), command, events)

    # --- commands of the client ----------------------------------------------------------------

    def _move(self, cause: str) -> bool:
        state = CLIENT.get((self.state, cause))
        if state is None:
            return False
        self.state = state
        return True

    def _connect(self) -> None:
        self._control(commands.SET_CHUNK_SIZE, commands.u32(self._size_to_announce))
        self.chunk_size = self._size_to_announce
        arguments = self._arguments
        about = (dict(arguments.server),) if arguments.server else ()
        self._send(0, "connect", CONNECT, arguments.object(), *about)

    def _connected(self, command: commands.Command, events: list[ClientEvent]) -> None:
        if not self._move(command.name):
            return
        if command.name == "_error":
            self._fail(None, command.info(), events)
            return
        told = command.arguments[0] if command.arguments else None
        told = told if isinstance(told, dict) else {}
        mark = commands.mark_of(command.info())
        events.append(Connected(commands.four_ccs(told), commands.caps_ex(told), mark))
        for stream in self._streams:
            self._create(stream)

    def _create(self, stream: ClientStream) -> None:
        stream.move("connected")
        if stream.sink is None:
            self._call("releaseStream", None, stream.name)
            self._call("FCPublish", None, stream.name)
        self._calls[self._call("createStream", None)] = stream

    def _created(self, stream: ClientStream, command: commands.Command, events: list[ClientEvent]) -> None:
        stream.move(command.name)
        if command.name == "_error":
            self._fail(stream, command.info(), events)
            return
        id = command.number(1, 0.0)
        if not (id.is_integer() and 0 < id < 1 << 32) or self._stream(int(id)) is not None:
            raise CommandError(f"createStream gave message stream {id:g}")
        stream.id = int(id)
        if stream.sink is None:
            self._call("publish", None, stream.name, "live", stream_id=stream.id)
        else:
            self.reader.set_sink(stream.id, stream.sink)
            self._call("play", None, stream.name, -2.0, stream_id=stream.id)
            buffer = commands.u32(stream.id) + commands.u32(stream.buffer_ms)
            self._user_control(commands.SET_BUFFER_LENGTH, buffer)

    # --- statuses of the server ----------------------------------------------------------------

    def _status(self, command: commands.Command, events: list[ClientEvent]) -> None:
        info = command.info()
        # Some servers send every status on message stream 0: it belongs to the only stream there is.
        stream = self._stream(command.stream_id)
        if stream is None and len(self._streams) == 1:
            (stream,) = self._streams
        code = _text(info, "code")
        level = _text(info, "level")
        if level == "error" and stream is not None and stream.move("error"):
            self._fail(stream, info, events)
        elif code in commands.STARTED and stream is not None and stream.move("start"):
            events.append(Started(stream.id, stream.name))
        elif code in commands.ENDED and stream is not None:
            self._end(stream, events)
        else:
            events.append(Status(command.stream_id, code, _text(info, "description"), level))

    def _end(self, stream: ClientStream, events: list[ClientEvent]) -> None:
        if stream.sink is not None and stream.move("end"):
            events.append(Ended(stream.id, stream.name))

    def _fail(self, stream: ClientStream | None, info: dict[str, Value], events: list[ClientEvent]) -> None:
        """Report the refusal of *stream*, or that of connect."""
        id, name = (stream.id, stream.name) if stream is not None else (0, "")
        url = commands.redirect_of(info, name)
        if url:
            events.append(Redirected(id, name, url))
        else:
            events.append(Failed(id, name, _text(info, "code"), _text(info, "description")))
        if stream is not None:
            self._forget(stream)

    def _stream(self, stream_id: int) -> ClientStream | None:
        """The publish or play of a message stream that the server gave."""
        return next((stream for stream in self._streams if stream.id == stream_id and stream_id), None)

    def _forget(self, stream: ClientStream) -> None:
        self._streams.remove(stream)
        if stream.id:
            self.reader.set_sink(stream.id, None)

    # --- bytes to the server -------------------------------------------------------------------

    def _call(self, name: str, *arguments: Value, stream_id: int = 0) -> float:
        """Send a command; return its transaction."""
        self._transaction += 1
        self._send(stream_id, name, self._transaction, *arguments)
        return self._transaction

    def _send(self, stream_id: int, *values: Value) -> None:
        chunks = STREAM_CHUNKS if stream_id else CONNECTION_CHUNKS
        body = amf0.encode(*values)
        self._output.append(write_message(commands.COMMAND_AMF0, 0, stream_id, chunks, body, self.chunk_size))

    def _control(self, kind: int, payload: bytes) -> None:
        self._output.append(write_message(kind, 0, 0, CONTROL_CHUNKS, payload, self.chunk_size))

    def _user_control(self, event: int, payload: bytes) -> None:
        self._control(commands.USER_CONTROL, event.to_bytes(2, "big") + payload)


def _text(info: dict[str, Value], key: str) -> str:
    value = info.get(key)
    return address.bounded(value) if isinstance(value, str) else ""
