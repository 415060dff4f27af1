"""An RTMP player that does what it is told, and a strict reader of the chunks that it is sent.

Spec: RTMP 1.0, 5.3.1 (chunks), 7.2.2 (commands of a NetStream). The reader shares no code with the server.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flvread import AUDIO, SCRIPT, VIDEO, Tag
from rtmppeer import COMMAND, SET_CHUNK, RtmpPeer
from server import HOST

from fastflv.media.amf import amf0
from fastflv.protocols.rtmp.handshake import ClientHandshake

USER_CONTROL = 4
STREAM_BEGIN, STREAM_EOF, PING_REQUEST, PING_RESPONSE = 0, 1, 6, 7
LENGTH_OF_HEADER = {0: 11, 1: 7, 2: 3, 3: 0}


class Message(NamedTuple):
    kind: int
    time: int
    stream: int
    body: bytes


@dataclass
class Channel:
    """What is remembered of a chunk stream."""

    time: int = 0
    step: int = 0
    extended: bool = False
    length: int = 0
    kind: int = 0
    stream: int = 0
    body: bytearray = field(default_factory=bytearray)


class Chunks:
    """Takes chunks in any pieces; what is not as the specification has it is an AssertionError."""

    def __init__(self) -> None:
        self.size = 128
        self.open: set[int] = set()
        "Chunk streams in the middle of a message."
        self._channels: dict[int, Channel] = {}
        self._found: list[Message] = []
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that *data* completes."""
        self._rest += data
        while self._chunk():
            pass
        found, self._found = self._found, []
        return found

    def _finish(self, message: Message) -> None:
        if message.kind == SET_CHUNK:
            assert not self.open, "the chunk size changed within a message"
            self.size = int.from_bytes(message.body, "big")
        self._found.append(message)

    def _chunk(self) -> bool:
        """Take one chunk; False when it has not come whole."""
        rest = self._rest
        if not rest:
            return False
        form, channel_id = rest[0] >> 6, rest[0] & 63
        assert channel_id >= 2, "a chunk stream above 63 is not expected of this server"
        at = 1 + LENGTH_OF_HEADER[form]
        if len(rest) < at:
            return False
        channel = self._channels.get(channel_id)
        assert channel is not None or form == 0, f"chunk stream {channel_id} begins with type {form}"
        channel = channel or Channel()
        fresh = channel_id not in self.open
        assert self.open <= {channel_id}, "a chunk of another message within a message"
        assert fresh or form == 3, "a message went on with a header of its own"
        step = int.from_bytes(rest[1:4], "big") if form < 3 else 0
        extended = step == 0xFFFFFF if form < 3 else channel.extended
        if extended:
            if len(rest) < at + 4:
                return False
            step = int.from_bytes(rest[at : at + 4], "big")
            assert form < 3 or step == channel.step, "type 3 has another extended timestamp"
            at += 4
        length = int.from_bytes(rest[4:7], "big") if form < 2 else channel.length
        size = min(self.size, length - len(channel.body))
        if len(rest) < at + size:
            return False
        if form < 3:
            channel.step, channel.extended = step, extended
            channel.time = step if form == 0 else channel.time + step
        elif fresh:
            channel.time += channel.step
        if form < 2:
            channel.length, channel.kind = length, rest[7]
        if form == 0:
            channel.stream = int.from_bytes(rest[8:12], "little")
        self._channels[channel_id] = channel
        channel.body += rest[at : at + size]
        del rest[: at + size]
        if len(channel.body) < channel.length:
            self.open.add(channel_id)
            return True
        self.open.discard(channel_id)
        body, channel.body = bytes(channel.body), bytearray()
        self._finish(Message(channel.kind, channel.time % 2**32, channel.stream, body))
        return True


class RtmpPlayer(RtmpPeer):
    """One connection that plays. Media is in `tags`, everything else where `wait` finds it."""

    def __init__(
        self,
        port: int,
        *,
        timeout: float = 15,
        tls: ssl.SSLContext | None = None,
        buffer: int = 0,
        source: str = "",
    ) -> None:
        super().__init__(port, timeout=timeout, tls=tls, buffer=buffer, source=source)
        self.chunks = Chunks()
        self.tags: list[Tag] = []
        self.streams: set[int] = set()
        "Message streams that media came on."
        self.pongs: list[int] = []
        self.events: list[tuple[int, int]] = []
        self.codes: list[str] = []
        "Of every onStatus."
        self.before: dict[str, int] = {}
        "Tags that came before the last status of a code."
        self.sizes: list[int] = []
        "Chunk sizes that the server announced."
        self.ended = False
        self._heard: list[list[Any]] = []
        "Commands that nobody waited for yet."

    def _feed(self, data: bytes) -> None:
        for message in self.chunks.feed(data):
            self._take(message)

    def _take(self, message: Message) -> None:
        if message.kind in (AUDIO, VIDEO, SCRIPT):
            if message.kind == SCRIPT and amf0.decode_all(message.body)[0] == "|RtmpSampleAccess":
                return
            self.tags.append(Tag(message.kind, message.time, message.body))
            self.streams.add(message.stream)
        elif message.kind == USER_CONTROL:
            event, value = int.from_bytes(message.body[:2], "big"), int.from_bytes(message.body[2:6], "big")
            self.events.append((event, value))
            if event == PING_RESPONSE:
                self.pongs.append(value)
        else:
            if message.kind == COMMAND:
                values = amf0.decode_all(message.body)
                if values[0] == "onStatus":
                    info = values[3]
                    assert isinstance(info, dict)
                    self.codes.append(str(info["code"]))
                    self.before[self.codes[-1]] = len(self.tags)
                self._heard.append(values)
            elif message.kind == SET_CHUNK:
                self.sizes.append(self.chunks.size)

    # --- asking ---

    def greet(self) -> RtmpPlayer:
        """The handshake."""
        shake = ClientHandshake(os.urandom)
        self.raw(shake.take_output())
        while not shake.done:
            data = self.sock.recv(65536)
            assert data, "closed within the handshake"
            used = shake.receive(data)
            self._feed(data[used:])
        self.raw(shake.take_output())
        self.set_chunk(4096)
        return self

    def connect(self, app: str = "live", **more: Any) -> RtmpPlayer:
        told = {"app": app, "type": "nonprivate", "tcUrl": f"rtmp://{HOST}:{self.port}/{app}", **more}
        self.command("connect", 1, told)
        self.wait("_result", 1)
        return self

    def wait(self, name: str, transaction: float) -> list[Any]:
        """Read to the answer of a command."""
        self.until(lambda me: any(values[:2] == [name, float(transaction)] for values in me._heard))
        found = next(values for values in self._heard if values[:2] == [name, float(transaction)])
        self._heard.remove(found)
        return found

    def play(self, name: str, *asked: float, stream: int = 1, create: bool = True) -> RtmpPlayer:
        """Ask for a stream on a connection that has said `connect`; *asked*: start and duration, ms."""
        if create:
            self.command("createStream", 10 + stream, None)
            assert self.wait("_result", 10 + stream)[3] == float(stream)
        self.command("play", 20, None, name, *(asked or (-2.0,)), stream=stream)
        return self

    def open(self, name: str, app: str = "live", **more: Any) -> RtmpPlayer:
        """All that it takes to play."""
        self.greet().connect(app, **more)
        return self.play(name)

    def say(self, name: str, *values: Any, stream: int = 1) -> RtmpPlayer:
        """A command without an answer."""
        self.command(name, 0, None, *values, stream=stream)
        return self

    def ping(self, value: int) -> None:
        body = PING_REQUEST.to_bytes(2, "big") + value.to_bytes(4, "big")
        self.message(USER_CONTROL, body, stream=0, channel=2)

    def heard_of(self) -> RtmpPlayer:
        """Ping, and read until the answer: what was said before has been heard by then."""
        value = len(self.pongs)
        self.ping(value)
        return self.until(lambda me: value in me.pongs)

    # --- hearing ---

    def step(self) -> bool:
        """Read what is there, or wait for it; False at the end, which must not be within a message."""
        try:
            data = self.sock.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended = True
            return False
        self._feed(data)
        return True

    def until(self, enough: Callable[[RtmpPlayer], bool]) -> RtmpPlayer:
        while not enough(self):
            assert self.step(), f"ended after {len(self.tags)} tags, {self.codes}"
        return self

    def frames(self, count: int, kind: int = VIDEO) -> RtmpPlayer:
        """Read *count* more coded frames."""
        had = self.count(kind)
        return self.until(lambda me: me.count(kind) >= had + count)

    def count(self, kind: int = VIDEO) -> int:
        return sum(1 for tag in self.tags if tag.kind == kind and not tag.is_config)

    def told(self, code: str, times: int = 1) -> RtmpPlayer:
        """Read until a status with this code came, for the how manieth time."""
        return self.until(lambda me: me.codes.count(code) >= times)

    def quiet(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        before = self.sock.gettimeout()
        self.sock.settimeout(seconds)
        try:
            return not self.step()
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(before)

    def rest(self) -> RtmpPlayer:
        """Read to the end."""
        while self.step():
            pass
        return self
