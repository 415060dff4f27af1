"""One RTMP peer of a server: bytes in, events and bytes out. It touches no socket and no clock.

Media does not pass through here: the chunk reader hands it to the sink given to `accept_publish`.

Spec: RTMP 1.0, 5 (handshake, chunks, control); commands are in `servercommands`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastflv import limits
from fastflv.errors import CommandOrderError, PeerError, UsageError
from fastflv.protocols.messagebudget import MessageBudget
from fastflv.protocols.rtmp import commands
from fastflv.protocols.rtmp.events import Event
from fastflv.protocols.rtmp.handshake import Noise, ServerHandshake
from fastflv.protocols.rtmp.servercommands import ServerCommands
from fastflv.protocols.rtmp.states import ConnectionState, StreamState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Buffer

    from fastflv._ext.ingest.sink import MediaSink
    from fastflv.protocols.rtmp.messagestream import MessageStream

# A member looked up through its class costs about 80 ns on CPython 3.11, once per read.
CONNECTED: Final = ConnectionState.CONNECTED


def _always() -> bool:
    return True


class ServerSession(ServerCommands):
    """One RTMP peer, seen from the server.

    The session moves by three things: bytes of the peer (`receive`), answers of the owner (`accept_...`,
    `reject_...`, `redirect`), and `close`. After each of them write what `take_output` returns.

    Events come in lists. A list ends behind a ConnectWanted, PublishWanted or PlayWanted; the owner handles the
    list, then calls `resume` unless `waiting`, and so on until the list is empty. So it does after an answer that
    comes later.

    While an answer is due, input pauses: `waiting` is true, and the rest of the read is held. One case does not
    pause. A connection that publishes already and asks for one more publish goes on: media of the other streams
    must not stop while a hook takes seconds. Encoders send no media of a stream before its answer; one that
    does is paused from its first message on, so a waiting publish holds one message at most, and loses none.

    `receive` and `resume` raise PeerError subclasses and nothing else; the session is of no use then. For a message that
    was read, `_error` or `onStatus` is queued before: write what `take_output` returns, then close.
    *noise* returns random bytes for the handshake. *chunk_size* is announced unless
    `accept_connect` says another, bytes. *mark* names this process to servers that send streams on.
    """

    __slots__ = (
        "_budget",
        "_chunk_size",
        "_handshake",
        "_held",
        "_pending",
        "deferred",
        "has_turn",
        "messages",
        "now",
        "proxy_ip",
    )

    has_turn: Callable[[], bool]
    "Whether there is time for one more message besides media. If not, `deferred` is set: call `resume` later."

    deferred: bool
    "A message besides media, and all input behind it, waits for `resume`; read it only."

    messages: int
    "Messages besides media that were read."

    proxy_ip: str
    "IPv4 address that a proxy wrote in front, once the handshake is done; or empty. Anyone can write it: for logs only."

    now: float
    "Monotonic clock of the present read, seconds: set it before `receive`. Messages besides media are limited by it."

    def __init__(self, *, noise: Noise, chunk_size: int = limits.CHUNK_BYTES_OUT, mark: str = "") -> None:
        super().__init__()
        self.replies.mark = mark
        self._chunk_size = chunk_size
        self._handshake: ServerHandshake | None = ServerHandshake(noise)
        "None once it is done."
        self.proxy_ip = ""
        self._held = bytearray()
        self._pending = False  # `resume` has something to do
        self._budget = MessageBudget()
        self.has_turn = _always
        self.messages = 0
        self.deferred = False
        self.now = 0.0

    @property
    def room(self) -> int:
        """Bytes that `receive` takes now: a whole receive buffer, while input pauses what is left of one.

        At 0 stop reading until the answer, or until `resume` where input is `deferred`. Until then reading goes on,
        so that the end of the connection is seen.
        """
        if self.deferred:
            return 0
        return limits.HELD_BYTES_MAX - len(self._held) if self.waiting else limits.RECEIVE_BYTES

    @property
    def only_media(self) -> bool:
        """Nothing is held or waits for an answer: whoever has the bytes may give them to the reader at once."""
        return self.state is CONNECTED and not self._pending and not self.waiting

    @property
    def acknowledge_at(self) -> int:
        """Bytes received by the reader at which an acknowledgement is due."""
        return self._acks.due

    @property
    def inside(self) -> bool:
        """Whether the bytes so far end within a message."""
        return self.reader.inside or bool(self._held)

    # --- bytes of the peer ---------------------------------------------------------------------

    def receive(self, data: Buffer) -> list[Event]:
        """Take bytes of the peer; return the events that they complete, oldest first.

        *data* may be a view into a buffer that is used again. Raises PeerError subclasses only:
        CommandOrderError for more than `room`.
        """
        if self.state is CONNECTED and not self._pending and not self.waiting:
            reader = self.reader
            used = reader.feed(data)
            if reader.message is None:
                self.acknowledge()
                return []
            return self._run(data, used, [])
        if self.state is ConnectionState.CLOSED:
            return []
        if self._pending or self.waiting:
            self._hold(data)
            return [] if self.waiting else self.resume()
        used = 0
        if self._handshake is not None:
            used = self._handshake.receive(data)
            if output := self._handshake.take_output():
                self.replies.raw(output)
            if not self._handshake.done:
                return []
            self.proxy_ip = self._handshake.proxy_ip
            self._handshake = None
            self._move("C2")
        return self._run(data, self.reader.feed(data, used), [])

    def receive_rest(self, data: Buffer, at: int) -> list[Event]:
        """Take *data* from *at* on, behind the message that the reader shows; returns and raises as `receive`.

        For an owner that feeds the reader by itself while there is `only_media`.
        """
        return self._run(data, at, [])

    def acknowledge(self) -> None:
        """Acknowledge what was received, if that is due."""
        if self.reader.received >= self._acks.due:
            self._acknowledge()

    def resume(self) -> list[Event]:
        """Go on with input that was held; returns as `receive`. Raises UsageError while `waiting`."""
        if self.waiting:
            raise UsageError("resume before the answer")
        if not self._pending or self.state is ConnectionState.CLOSED:
            return []
        held, self._held = self._held, bytearray()
        self._pending = False
        events: list[Event] = []
        for stream in self._streams:
            if stream.held is not None:
                self._release(stream, events)
        # A message that was deferred still stands in the reader.
        deferred, self.deferred = self.deferred, False
        return self._run(held, 0 if deferred else self.reader.feed(held), events)

    def take_over(self, place: tuple[str, str], created: int, streams: Iterable[MessageStream]) -> None:
        super().take_over(place, created, streams)
        self._handshake = None

    def take_output(self) -> bytes:
        """Hand over the bytes to write now, and forget them; empty when there are none."""
        return self.replies.take()

    def close(self) -> None:
        """Take no more input and drop the sinks. Output not taken yet can still be taken."""
        self._move("close")
        for stream in self._streams:
            stream.move("close")
            self.reader.set_sink(stream.id, None)
        self._streams.clear()
        self._held.clear()
        self.waiting = self.deferred = False

    def _run(self, data: Buffer, at: int, events: list[Event]) -> list[Event]:
        """Handle the reader's message, feed on from *at*, and so on to the end of *data*."""
        reader = self.reader
        while (message := reader.message) is not None:
            if message[0] not in commands.MEDIA and not self.has_turn():
                self.deferred = self._pending = True
                self._held += memoryview(data)[at:]
                break
            asked = len(events)
            try:
                if message[0] not in commands.MEDIA:
                    self.messages += 1
                    self._budget.spend(len(message[4]), self.now)
                self._message(*message, events)
            except PeerError as error:
                self._explain(message[0], message[2], message[4], error)
                raise
            if self.waiting or (len(events) > asked and events[-1].needs_answer):
                self._pending = True
                self._held += memoryview(data)[at:]
                break
            # Once more even at the end: the reader may hold a few bytes that it looked ahead at.
            at = reader.feed(data, at)
        self.acknowledge()
        return events

    def _hold(self, data: Buffer) -> None:
        self._held += data
        self._pending = True
        if len(self._held) > limits.HELD_BYTES_MAX and self.waiting:
            raise CommandOrderError(f"over {limits.HELD_BYTES_MAX} bytes before the answer")

    def _release(self, stream: MessageStream, events: list[Event]) -> None:
        """Handle the message that came before its publish was accepted."""
        assert stream.held is not None
        kind, timestamp, payload = stream.held
        stream.held = None
        if kind in commands.MEDIA:
            self.reader.deliver(kind, timestamp, stream.id, payload)
        else:
            self._data(kind, timestamp, stream.id, payload, events)

    def _acknowledge(self) -> None:
        received = self.reader.received
        self._acks.acknowledge(received)
        self.replies.control(commands.ACKNOWLEDGEMENT, commands.u32(received))

    # --- answers of the owner; each raises UsageError when nobody waits for it -----------------

    def accept_connect(
        self, *, window: int = limits.ACK_WINDOW_BYTES, chunk_size: int | None = None, in_ack_size: int = 0
    ) -> None:
        """Accept the peer's `connect`.

        *window* is announced as acknowledgement window and peer bandwidth, bytes. *in_ack_size* is the
        window by which the session acknowledges, bytes; 0 leaves it to what the peer announces.
        """
        if self.state is not ConnectionState.CONNECTING:
            raise UsageError(f"accept_connect while {self.state.value}")
        self._move("accept connect")
        self._pending = True
        self._look_who_waits()
        asked, self._asked = self._asked, None
        assert asked is not None
        self._acks.set_ours(in_ack_size)
        self.replies.connected(self._transaction, asked, window, chunk_size or self._chunk_size)

    def accept_publish(self, stream_id: int, sink: MediaSink) -> None:
        """Send media of the message stream to *sink* from here on."""
        stream = self._answer(stream_id, "accept publish")
        self.reader.set_sink(stream_id, sink)
        self.replies.publish_started(stream_id, stream.kind != "flash")

    def reject_publish(self, stream_id: int, code: str, description: str) -> None:
        """Answer with the reason, for example `NetStream.Publish.BadName`. Other streams go on."""
        self._answer(stream_id, "reject publish")
        self.notify(stream_id, code, description, "error")

    def accept_play(self, stream_id: int) -> None:
        """Announce to the player that media follows on the message stream."""
        self._answer(stream_id, "accept play")
        self.replies.play_started(stream_id)

    def reject_play(self, stream_id: int, code: str, description: str) -> None:
        """Answer with the reason, for example `NetStream.Play.StreamNotFound`. The peer may try again."""
        self._answer(stream_id, "reject play")
        self.notify(stream_id, code, description, "error")

    def redirect(self, stream_id: int, url: str) -> None:
        """Answer a publish or play with another server: *url* is rtmp://HOST/APP/STREAM. Then close."""
        publish = self.stream_state(stream_id) is StreamState.STARTING_PUBLISH
        self._answer(stream_id, "reject publish" if publish else "reject play")
        self.replies.redirect(url, stream_id)

    def notify(self, stream_id: int, code: str, description: str, level: str = "status") -> None:
        """Send `onStatus` on a message stream: *level* is status, warning or error."""
        self.replies.status(code, description, stream_id, level)

    def _answer(self, stream_id: int, cause: str) -> MessageStream:
        """Move a message stream by an answer of the owner."""
        stream = self._stream(stream_id)
        if stream is None:
            raise UsageError(f"{cause!r} on message stream {stream_id}, which is idle")
        stream.answer(cause)
        if stream.state is StreamState.IDLE:
            self.reader.set_sink(stream_id, None)
            self._streams.remove(stream)
            if stream.held is not None:
                self._release(stream, [])  # counted as dropped
        self._pending = True
        self._look_who_waits()
        return stream
