"""What a server and a peer say to each other: commands in, events and replies out.

`Dialogue` knows messages but no bytes; `session.Session` feeds it. `states.NEXT` is the machine.

Spec: RTMP 1.0, 7; the order of answers is that of SRS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastflv import limits
from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv.errors import CommandError, CommandOrderError, UsageError
from fastflv.protocols.rtmp import address, commands
from fastflv.protocols.rtmp.ackwindow import AckWindow
from fastflv.protocols.rtmp.commands import Command
from fastflv.protocols.rtmp.events import (
    AudioWanted,
    ConnectWanted,
    DataArrived,
    Event,
    Paused,
    PlayStopped,
    PlayWanted,
    Pong,
    PublisherKind,
    PublishWanted,
    Unpublished,
    VideoWanted,
)
from fastflv.protocols.rtmp.replies import Replies
from fastflv.protocols.rtmp.states import NEXT, WAITING, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastflv._ext.ingest.sink import MediaSink


class Dialogue:
    """State, answers and commands of one peer. Use it through `session.Session`."""

    __slots__ = (
        "_acks",
        "_asked",
        "_chunk_size",
        "_created",
        "_created_first",
        "_kind",
        "_pending",
        "_stream_id",
        "_tc_url",
        "_transaction",
        "buffer_ms",
        "ignored",
        "on_data",
        "reader",
        "replies",
        "state",
    )

    reader: ChunkReader
    "Chunks of the peer. Its `received` counts bytes behind the handshake."

    state: State
    "Moved by the table alone."

    replies: Replies
    "What we say; media written to a player must use its `chunk_size`."

    buffer_ms: int
    "Buffer that the player last announced (SetBufferLength), ms; 0 when none."

    ignored: int
    "Data left unread: outside a publish, or over COMMAND_BYTES_MAX. The reader counts what never comes here."

    on_data: Callable[[DataArrived], None] | None
    "Takes script data in its place among the media; without it, DataArrived is an event like the others."

    def __init__(self, chunk_size: int) -> None:
        self.reader = ChunkReader()
        self.state = State.GREETING
        self.replies = Replies()
        self.buffer_ms = 0
        self.ignored = 0
        self.on_data = None
        self._acks = AckWindow()
        self._chunk_size = chunk_size
        self._pending = False  # input may wait for `resume`
        self._asked: ConnectWanted | None = None
        self._tc_url = ""
        self._transaction = 0.0
        self._created = 0
        self._created_first = False  # createStream came before any FCPublish
        self._kind: PublisherKind = "flash"
        self._stream_id = 0

    @property
    def waiting(self) -> bool:
        """Whether an event needs its answer; input is held until then, so stop reading."""
        return self.state in WAITING

    @property
    def stream_id(self) -> int:
        """Message stream of the present publish or play."""
        return self._stream_id

    def _move(self, cause: str) -> None:
        try:
            self.state = NEXT[self.state, cause]
        except KeyError:
            raise CommandOrderError(f"{cause!r} while {self.state.value}") from None

    def _decide(self, cause: str) -> None:
        """Move by an answer of the owner."""
        if (self.state, cause) not in NEXT:
            raise UsageError(f"{cause!r} while {self.state.value}")
        self._move(cause)
        self._pending = True

    # --- answers of the owner ------------------------------------------------------------------

    def accept_connect(
        self, *, window: int = limits.ACK_WINDOW_BYTES, chunk_size: int | None = None, in_ack_size: int = 0
    ) -> None:
        """Let the peer in.

        *window* is announced as acknowledgement window and peer bandwidth, bytes. *in_ack_size* is the
        window by which we acknowledge, bytes; 0 leaves it to what the peer announces.
        """
        self._decide("accept connect")
        assert self._asked is not None
        self._acks.set_ours(in_ack_size)
        self.replies.connected(self._transaction, self._asked, window, chunk_size or self._chunk_size)

    def reject_connect(self, description: str) -> None:
        """Say why, and close."""
        self._decide("reject connect")
        self.replies.answer(commands.connect_error(self._transaction, description))

    def accept_publish(self, sink: MediaSink) -> None:
        """Send the peer's media to *sink* from here on."""
        self._decide("accept publish")
        self.reader.sink = sink
        self.replies.publish_started(self._stream_id, self._kind != "flash")

    def reject_publish(self, code: str, description: str) -> None:
        """Say why, for example `NetStream.Publish.BadName`. Then close, or let the peer try again."""
        self._decide("reject publish")
        self.notify(code, description, "error")

    def accept_play(self) -> None:
        """Tell the player that media follows, on `stream_id`."""
        self._decide("accept play")
        self.replies.play_started(self._stream_id)

    def reject_play(self, code: str, description: str) -> None:
        """Say why, for example `NetStream.Play.StreamNotFound`. Then close, or let the peer try again."""
        self._decide("reject play")
        self.notify(code, description, "error")

    def notify(self, code: str, description: str, level: str = "status") -> None:
        """Send `onStatus` on the present stream: *level* is status, warning or error."""
        self.replies.status(code, description, self._stream_id, level)

    def ask_reconnect(self, tc_url: str, description: str) -> bool:
        """Ask an enhanced client to connect again, to *tc_url* unless empty; False when it does not know how."""
        if self._asked is None or not self._asked.caps_ex & 1:
            return False
        self.replies.reconnect(tc_url, description)
        return True

    def ping(self, now_ms: int) -> None:
        """Ask for a sign of life; the answer is Pong with *now_ms* modulo 2**32."""
        self.replies.user_control(commands.PING_REQUEST, now_ms)

    # --- messages of the peer ------------------------------------------------------------------

    def _message(
        self,
        kind: int,
        timestamp: int,
        stream_id: int,
        chunk_stream: int,
        payload: bytes,
        events: list[Event],
    ) -> None:
        if kind in (commands.COMMAND_AMF0, commands.COMMAND_AMF3):
            self._command(commands.read_command(kind, stream_id, payload), events)
        elif kind in (commands.DATA_AMF0, commands.DATA_AMF3):
            self._data(kind, timestamp, payload, events)
        elif kind == commands.USER_CONTROL:
            self._user_control(payload, events)
        elif kind == commands.WINDOW_SIZE:
            if len(payload) < 4:
                raise CommandError(f"window size of {len(payload)} bytes")
            self._acks.set_theirs(int.from_bytes(payload[:4], "big"))

    def _data(self, kind: int, timestamp: int, payload: bytes, events: list[Event]) -> None:
        if self.state is State.PUBLISHING and len(payload) <= limits.COMMAND_BYTES_MAX:
            found = commands.read_data(kind, payload)
            if found:
                name, body = found
                arrived = DataArrived(timestamp, body, name)
                if self.on_data is None:
                    events.append(arrived)
                else:
                    # At once: media of the same read goes to the sink before its owner sees any event.
                    self.on_data(arrived)
                return
        self.ignored += 1

    def _user_control(self, payload: bytes, events: list[Event]) -> None:
        if len(payload) < 6:
            raise CommandError(f"user control message of {len(payload)} bytes")
        event = int.from_bytes(payload[:2], "big")
        value = int.from_bytes(payload[2:6], "big")
        if event == commands.PING_REQUEST:
            self.replies.user_control(commands.PING_RESPONSE, value)
        elif event == commands.PING_RESPONSE:
            events.append(Pong(value))
        elif event == commands.SET_BUFFER_LENGTH:
            self.buffer_ms = int.from_bytes(payload[6:10], "big")

    def _command(self, command: Command, events: list[Event]) -> None:
        name = command.name
        if name in commands.IGNORED_ANSWERS:
            return
        if name == "connect":
            self._move("connect")
            self._asked = commands.read_connect(command)
            self._tc_url = commands.tc_url(command)
            self._transaction = command.transaction
            events.append(self._asked)
            return
        if name in ("publish", "play"):
            (self._publish if name == "publish" else self._play)(command, events)
            return
        self._move("call")
        call = _CALLS.get(name)
        if call is not None:
            call(self, command, events)
        elif command.transaction:
            self.replies.answer(commands.result(command.transaction))

    def _where(self, command: Command) -> address.Address:
        """The stream that publish or play names, with what `connect` said."""
        name = command.text(1)
        if name is None:
            raise CommandError(f"{command.name} without a stream name")
        return address.parse(self._tc_url, name)

    def _publish(self, command: Command, events: list[Event]) -> None:
        if self.state is State.PUBLISHING and command.arguments[1:2] == (False,):  # NetStream.publish(false)
            self._end(command, events)
            return
        self._move("publish")
        where = self._where(command)
        self._stream_id = command.stream_id
        events.append(
            PublishWanted(where.vhost, where.app, where.stream, where.param, self._kind, command.stream_id)
        )

    def _play(self, command: Command, events: list[Event]) -> None:
        if self.state is State.PLAYING:
            events.append(PlayStopped("play"))
        self._move("play")
        if command.stream_id > limits.MESSAGE_STREAM_MAX:
            raise CommandError(
                f"play on message stream {command.stream_id}; at most {limits.MESSAGE_STREAM_MAX} are given out"
            )
        where = self._where(command)
        self._stream_id = command.stream_id
        events.append(
            PlayWanted(
                where.vhost,
                where.app,
                where.stream,
                where.param,
                start=command.number(2, -2.0),
                duration=command.number(3, -1.0),
                reset=command.flag(4, True),
                stream_id=command.stream_id,
            )
        )

    def _create_stream(self, command: Command, events: list[Event]) -> None:
        self._created += 1
        self._created_first = self._kind == "flash"
        self.replies.answer(commands.result(command.transaction, float(self._created)))

    def _fc_publish(self, command: Command, events: list[Event]) -> None:
        if self._kind == "flash":
            self._kind = "haivision" if self._created_first else "fmle"
        if command.transaction:
            self.replies.answer(commands.done(command.transaction))

    def _fc_unpublish(self, command: Command, events: list[Event]) -> None:
        if self.state is State.PUBLISHING:
            self.replies.fc_unpublished(self._stream_id)
        if command.transaction:
            self.replies.answer(commands.done(command.transaction))
        self._end(command, events)

    def _delete_stream(self, command: Command, events: list[Event]) -> None:
        """deleteStream names its stream, closeStream comes on it; one that names none means the present one."""
        of = command.number(1, 0.0) if command.name == "deleteStream" else float(command.stream_id)
        if of in (0.0, float(self._stream_id)):
            self._end(command, events)

    def _end(self, command: Command, events: list[Event]) -> None:
        """End a publish or play, if there is one."""
        if self.state is State.PUBLISHING:
            self._move("unpublish")
            self.reader.sink = None
            self.replies.unpublished(self._stream_id)
            events.append(Unpublished(command.name))
        elif self.state is State.PLAYING:
            self._move("stop")
            events.append(PlayStopped(command.name))
        self._kind = "flash"
        self._created_first = False

    def _pause(self, command: Command, events: list[Event]) -> None:
        if self.state is not State.PLAYING:
            return
        paused = command.flag(1, True)
        self.replies.paused(self._stream_id, paused)
        events.append(Paused(paused))

    def _receive_media(self, command: Command, events: list[Event]) -> None:
        if self.state is State.PLAYING:
            wanted = command.flag(1, True)
            events.append(AudioWanted(wanted) if command.name == "receiveAudio" else VideoWanted(wanted))
        if command.transaction:
            self.replies.answer(commands.result(command.transaction))


_CALLS: Final = {
    "createStream": Dialogue._create_stream,
    "releaseStream": Dialogue._fc_publish,
    "FCPublish": Dialogue._fc_publish,
    "FCUnpublish": Dialogue._fc_unpublish,
    "deleteStream": Dialogue._delete_stream,
    "closeStream": Dialogue._delete_stream,
    "pause": Dialogue._pause,
    "pauseRaw": Dialogue._pause,
    "receiveAudio": Dialogue._receive_media,
    "receiveVideo": Dialogue._receive_media,
}
"Calls with a meaning. All others get an empty `_result`."
