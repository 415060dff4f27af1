"""The commands half of a server session: messages in, events and replies out.

`ServerCommands` knows messages but no bytes; `server.ServerSession` feeds it. `states` has the state machine.

Spec: RTMP 1.0, 7; the order of answers is that of SRS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastflv import limits
from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv.errors import CommandError, CommandOrderError, PeerError
from fastflv.protocols.rtmp import address, commands
from fastflv.protocols.rtmp.ackwindow import AckWindow
from fastflv.protocols.rtmp.commands import Command
from fastflv.protocols.rtmp.encoderkind import EncoderKind
from fastflv.protocols.rtmp.events import (
    AudioWanted,
    ConnectWanted,
    DataArrived,
    Event,
    Paused,
    PlayStopped,
    PlayWanted,
    PublishWanted,
    Unpublished,
    VideoWanted,
)
from fastflv.protocols.rtmp.messagestream import MessageStream, bare
from fastflv.protocols.rtmp.replies import Replies
from fastflv.protocols.rtmp.states import CONNECTION, EXCLUDES, ConnectionState, StreamState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BAD_NAME: Final = "NetStream.Publish.BadName"
CALL_FAILED: Final = "NetConnection.Call.Failed"

REFUSALS: Final = {"publish": BAD_NAME, "play": "NetStream.Play.Failed"}
"Codes of `onStatus` for commands that no `_result` answers."

CONNECT_TRANSACTION: Final = 1.0
"Transaction of every `connect` (RTMP 1.0, 7.2.1.1)."


class ServerCommands:
    """State and commands of one peer. Use it through `server.ServerSession`."""

    __slots__ = (
        "_acks",
        "_asked",
        "_created",
        "_kinds",
        "_place",
        "_streams",
        "_transaction",
        "_via",
        "ignored",
        "on_data",
        "reader",
        "replies",
        "state",
        "waiting",
    )

    reader: ChunkReader
    "Chunks of the peer. Its `received` counts bytes behind the handshake."

    state: ConnectionState
    "Moved by `states.CONNECTION` alone."

    replies: Replies
    "Answers to the peer; media written to a player must use its `chunk_size`."

    ignored: int
    "Data messages left unread: outside a publish, or over COMMAND_BYTES_MAX. The reader counts those of other types."

    waiting: bool
    "Whether input pauses until an answer; read it only."

    on_data: Callable[[DataArrived], None] | None
    "Takes script data in its place among the media; without it, DataArrived is an event like the others."

    def __init__(self) -> None:
        self.reader = ChunkReader()
        self.state = ConnectionState.GREETING
        self.replies = Replies()
        self.ignored = 0
        self.on_data = None
        self._acks = AckWindow()
        self._asked: ConnectWanted | None = None
        "A `connect` that waits for its answer."
        self._via: tuple[str, ...] = ()
        "As it said."
        self._place = "", ""  # tcUrl and app
        self._transaction = 0.0
        self._created = 0
        self._kinds = EncoderKind()
        self._streams: list[MessageStream] = []  # those that are not idle: one, or a few
        self.waiting = False

    def stream_state(self, stream_id: int) -> StreamState:
        """State of a message stream; IDLE for one that was never used."""
        stream = self._stream(stream_id)
        return StreamState.IDLE if stream is None else stream.state

    def _stream(self, stream_id: int) -> MessageStream | None:
        return next((stream for stream in self._streams if stream.id == stream_id), None)

    @property
    def streams(self) -> list[MessageStream]:
        """The message streams that are not idle."""
        return list(self._streams)

    @property
    def acks(self) -> AckWindow:
        """When the peer's bytes are acknowledged."""
        return self._acks

    @property
    def created(self) -> int:
        """Message streams that the peer has created."""
        return self._created

    @property
    def place(self) -> tuple[str, str]:
        """tcUrl and app that `connect` named."""
        return self._place

    def take_over(self, place: tuple[str, str], created: int, streams: Iterable[MessageStream]) -> None:
        """Be connected, as another process has left the peer."""
        self.state = ConnectionState.CONNECTED
        self._place = place
        self._created = created
        self._streams = list(streams)

    def _move(self, cause: str) -> None:
        try:
            self.state = CONNECTION[self.state, cause]
        except KeyError:
            raise CommandOrderError(f"{cause!r} while {self.state.value}") from None

    def _look_who_waits(self) -> None:
        """Decide anew whether input pauses, after any change of state or a message held."""
        states = {stream.state for stream in self._streams}
        self.waiting = (
            self.state is ConnectionState.CONNECTING
            or StreamState.STARTING_PLAY in states
            or (StreamState.STARTING_PUBLISH in states and StreamState.PUBLISHING not in states)
            or any(
                stream.held is not None and stream.state is StreamState.STARTING_PUBLISH
                for stream in self._streams
            )
        )

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
            self._look_who_waits()
        elif (
            kind in commands.OF_A_PUBLISH
            and (stream := self._stream(stream_id)) is not None
            and stream.state is StreamState.STARTING_PUBLISH
        ):
            # Encoders wait for the answer before they send media: one that does not is paused from here on.
            stream.held = kind, timestamp, payload
            self._look_who_waits()
        elif kind in (commands.DATA_AMF0, commands.DATA_AMF3):
            self._data(kind, timestamp, stream_id, payload, events)
        elif kind == commands.USER_CONTROL:
            self._user_control(payload, events)
        elif kind == commands.WINDOW_SIZE:
            self._acks.set_theirs(commands.read_window(payload))

    def _data(self, kind: int, timestamp: int, stream_id: int, payload: bytes, events: list[Event]) -> None:
        if (
            self.stream_state(stream_id) is StreamState.PUBLISHING
            and len(payload) <= limits.COMMAND_BYTES_MAX
            and (found := commands.read_data(kind, payload))
        ):
            name, body = found
            arrived = DataArrived(timestamp, body, name, stream_id)
            if self.on_data is None:
                events.append(arrived)
            else:
                # At once: media of the same read goes to the sink before its owner sees any event.
                self.on_data(arrived)
        else:
            self.ignored += 1

    def _explain(self, kind: int, stream_id: int, payload: bytes, error: PeerError) -> None:
        """Answer the message that *error* ends the connection for, in the form that its sender waits for."""
        why = error.detail
        if kind not in (commands.COMMAND_AMF0, commands.COMMAND_AMF3):
            self.replies.status("NetConnection.Connect.Closed", why, 0, "error")
            return
        name, transaction = commands.read_call(kind, payload)
        if name == "connect":
            self.replies.answer(commands.connect_error(transaction or CONNECT_TRANSACTION, why))
        elif name in REFUSALS:
            self.replies.status(REFUSALS[name], why, stream_id, "error")
        elif transaction:
            self.replies.answer(commands.call_error(transaction, CALL_FAILED, why))
        else:
            self.replies.status(CALL_FAILED, why, stream_id, "error")

    def _user_control(self, payload: bytes, events: list[Event]) -> None:
        event, value = commands.read_user_control(payload)
        if event == commands.PING_REQUEST:
            self.replies.user_control(commands.PING_RESPONSE, value)

    def _command(self, command: Command, events: list[Event]) -> None:
        name = command.name
        if name in commands.IGNORED_ANSWERS:
            return
        if name == "connect":
            self._move("connect")
            self._asked = commands.read_connect(command)
            self._place = commands.place_of(command)
            self._transaction = command.transaction
            self._via = self._asked.via
            events.append(self._asked)
            return
        self._move("call")
        handler = HANDLERS.get(name)
        if handler is not None:
            handler(self, command, events)
        elif command.transaction:
            self.replies.answer(commands.result(command.transaction))

    # --- publish and play ----------------------------------------------------------------------

    def _begin(self, command: Command) -> tuple[MessageStream, address.Address]:
        """Move the message stream of a publish or play, and read the name with what `connect` gave."""
        for other in self._streams:
            if other.state in EXCLUDES[command.name]:
                raise CommandOrderError(f"{command.name!r} while {other.state.value}")
        name = command.text(1)
        if name is None:
            raise CommandError(f"{command.name} without a stream name")
        tc_url, app = self._place
        where = address.parse(tc_url, name, app=app)
        stream = self._stream(command.stream_id)
        if stream is None:
            stream = MessageStream(command.stream_id)
            self._streams.append(stream)
        stream.move(command.name)
        stream.name = name
        stream.kind = self._kinds.take(name)
        return stream, where

    def _publish(self, command: Command, events: list[Event]) -> None:
        if self.stream_state(command.stream_id) in EXCLUDES["play"]:
            if command.arguments[1:2] == (False,):  # NetStream.publish(false)
                self._end(command.stream_id, command.name, events)
            else:
                self._refuse(command, f"message stream {command.stream_id} has a publish already")
            return
        if len(self._streams) >= limits.PUBLISHES_MAX:
            self._refuse(command, f"a connection may have {limits.PUBLISHES_MAX} publishes at once")
            return
        stream, where = self._begin(command)
        self.reader.show(stream.id)
        events.append(
            PublishWanted(
                where.vhost, where.app, where.stream, where.param, stream.kind, stream.id, self._via
            )
        )

    def _refuse(self, command: Command, why: str) -> None:
        """Answer a publish that cannot begin; what the connection publishes already goes on."""
        self.replies.status(BAD_NAME, why, command.stream_id, "error")

    def _play(self, command: Command, events: list[Event]) -> None:
        if command.stream_id > limits.MESSAGE_STREAM_MAX:
            raise CommandError(
                f"play on message stream {command.stream_id}; at most {limits.MESSAGE_STREAM_MAX} are given out"
            )
        for other in list(self._streams):
            if other.state is StreamState.PLAYING:
                events.append(PlayStopped(other.id, "play"))
                if other.id != command.stream_id:
                    other.move("stop")
                    self._streams.remove(other)
        stream, where = self._begin(command)
        events.append(
            PlayWanted(
                where.vhost,
                where.app,
                where.stream,
                where.param,
                start=command.number(2, -2.0),
                duration=command.number(3, -1.0),
                reset=command.flag(4, True),
                stream_id=stream.id,
            )
        )

    def _create_stream(self, command: Command, events: list[Event]) -> None:
        self._created += 1
        self._kinds.create()
        self.replies.answer(commands.result(command.transaction, float(self._created)))

    def _fc_publish(self, command: Command, events: list[Event]) -> None:
        self._kinds.announce(command.text(1) or "")
        if command.transaction:
            self.replies.answer(commands.done(command.transaction))

    def _fc_unpublish(self, command: Command, events: list[Event]) -> None:
        stream = self._published_as(command.text(1))
        if stream is not None:
            self.replies.fc_unpublished(stream.id)
        if command.transaction:
            self.replies.answer(commands.done(command.transaction))
        if stream is not None:
            self._end(stream.id, command.name, events)

    def _published_as(self, name: str | None) -> MessageStream | None:
        """The publish that FCUnpublish names: as sent, else without queries; without a name, the only one."""
        publishes = [stream for stream in self._streams if stream.state in EXCLUDES["play"]]
        same = [stream for stream in publishes if stream.name == name]
        if not same:
            same = [stream for stream in publishes if name is None or bare(stream.name) == bare(name)]
        return same[0] if len(same) == 1 else None

    def _delete_stream(self, command: Command, events: list[Event]) -> None:
        """deleteStream names its stream, closeStream comes on it; one that names none means the only one in use."""
        named = command.number(1, 0.0) if command.name == "deleteStream" else 0.0
        if named:
            stream_id = int(named) if named.is_integer() else -1
        elif command.stream_id or len(self._streams) != 1:
            stream_id = command.stream_id
        else:
            stream_id = self._streams[0].id
        self._end(stream_id, command.name, events)

    def _end(self, stream_id: int, reason: str, events: list[Event]) -> None:
        """End the publish or play of a message stream, if it has one."""
        stream = self._stream(stream_id)
        if stream is None:
            return
        if stream.state is StreamState.PLAYING:
            stream.move("stop")
            events.append(PlayStopped(stream_id, reason))
        else:
            stream.move("unpublish")
            self.reader.set_sink(stream_id, None)
            self.replies.unpublished(stream_id)
            events.append(Unpublished(stream_id, reason))
        self._streams.remove(stream)

    # --- while playing -------------------------------------------------------------------------

    def _playing(self) -> MessageStream | None:
        """The play of the connection: players also send its commands on stream 0."""
        return next((s for s in self._streams if s.state is StreamState.PLAYING), None)

    def _pause(self, command: Command, events: list[Event]) -> None:
        stream = self._playing()
        if stream is not None:
            paused = command.flag(1, True)
            self.replies.paused(stream.id, paused)
            events.append(Paused(stream.id, paused))

    def _receive_media(self, command: Command, events: list[Event]) -> None:
        stream = self._playing()
        if stream is not None:
            wanted = AudioWanted if command.name == "receiveAudio" else VideoWanted
            events.append(wanted(stream.id, command.flag(1, True)))
        if command.transaction:
            self.replies.answer(commands.result(command.transaction))


HANDLERS: Final = {
    "createStream": ServerCommands._create_stream,
    "publish": ServerCommands._publish,
    "play": ServerCommands._play,
    "releaseStream": ServerCommands._fc_publish,
    "FCPublish": ServerCommands._fc_publish,
    "FCUnpublish": ServerCommands._fc_unpublish,
    "deleteStream": ServerCommands._delete_stream,
    "closeStream": ServerCommands._delete_stream,
    "pause": ServerCommands._pause,
    "pauseRaw": ServerCommands._pause,
    "receiveAudio": ServerCommands._receive_media,
    "receiveVideo": ServerCommands._receive_media,
}
"Commands with a meaning. All others get an empty `_result`."
