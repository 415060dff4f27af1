"""RTMP chunks, slow and obvious: a decoder of whole wires and an encoder that can write every legal form.

Rules where peers differ (RTMP 1.0, 5.3.1):

- a type 3 header that begins a message after a type 0 header steps by that header's timestamp (5.3.1.2.4);
- a type 3 header repeats the extended timestamp; when the next four bytes are another number, the peer
  left it out and they are payload;
- an extended step of type 1 or 2 that lies less than EXTENDED_STEP_MS ahead of the clock is an absolute time;
- type 1 may open a chunk stream (librtmp's ping), with message stream 0; types 2 and 3 may not;
- in the middle of a message, type 0 and another length are errors; types 1 and 2 else go on with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from fastflv import limits

MEDIA = (8, 9, 22)
SAID = (4, 5, 15, 17, 18, 20)


class Fault(Exception):
    """The wire is not legal."""


class Message(NamedTuple):
    kind: int
    timestamp: int
    stream_id: int
    chunk_stream: int
    payload: bytes

    @property
    def is_read(self) -> bool:
        """Whether a reader shows it at all: acknowledgements, unknown types and empty messages say nothing."""
        return self.kind in MEDIA or (self.kind in SAID and self.payload != b"")

    def shown(self) -> tuple:
        """What a reader tells of it: of media only kind, time and payload."""
        return (self.kind, self.timestamp, self.payload) if self.kind in MEDIA else tuple(self)


@dataclass
class Stream:
    timestamp: int = 0
    step: int = 0
    extended: int | None = None
    length: int = 0
    kind: int = 0
    stream_id: int = 0
    body: bytes | None = None  # None between messages


class Short(Exception):
    """The wire ends here."""


class Decoder:
    """Reads one whole wire; `messages` are those that are complete."""

    def __init__(self, max_message=limits.MESSAGE_BYTES_MAX, max_streams=limits.CHUNK_STREAMS_MAX) -> None:
        self.messages: list[Message] = []
        self.streams: dict[int, Stream] = {}
        self.chunk_size = 128
        self.max_message = max_message
        self.max_streams = max_streams

    def decode(self, wire: bytes) -> list[Message]:
        """Return the messages; raise Fault, with `messages` up to there."""
        self.wire = wire
        self.at = 0
        try:
            while self.at < len(wire):
                self.chunk()
        except Short:
            pass
        return self.messages

    def take(self, size: int) -> bytes:
        if len(self.wire) - self.at < size:
            raise Short
        self.at += size
        return self.wire[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def chunk(self) -> None:
        first = self.number(1)
        fmt, csid = first >> 6, first & 63
        if csid == 0:
            csid = 64 + self.number(1)
        elif csid == 1:
            csid = 64 + self.number(1)
            csid += 256 * self.number(1)
        stream = self.streams.get(csid)
        if stream is None and fmt == 3:
            raise Fault("type 3 first")
        if fmt == 3:
            self.type3(stream)
        else:
            stream = self.header(fmt, csid, stream)
        if stream.body is None:
            stream.body = b""
        size = min(self.chunk_size, stream.length - len(stream.body))
        stream.body += self.take(size)
        if len(stream.body) == stream.length:
            message = Message(stream.kind, stream.timestamp, stream.stream_id, csid, stream.body)
            stream.body = None
            self.finish(message)

    def type3(self, stream: Stream) -> None:
        if stream.extended is not None:
            if len(self.wire) - self.at < 4:
                raise Short
            if int.from_bytes(self.wire[self.at : self.at + 4], "big") == stream.extended:
                self.at += 4
        if stream.body is None:
            stream.timestamp = (stream.timestamp + stream.step) % 2**32

    def header(self, fmt: int, csid: int, stream: Stream | None) -> Stream:
        raw = self.take({0: 11, 1: 7, 2: 3}[fmt])
        step = int.from_bytes(raw[:3], "big")
        extended = None
        if step == 0xFFFFFF:
            step = extended = self.number(4)
        if stream is None:
            if fmt == 2:
                raise Fault("type 2 first")
            if len(self.streams) == self.max_streams:
                raise Fault("too many chunk streams")
            stream = self.streams[csid] = Stream()
        if stream.body is not None and fmt == 0:
            raise Fault("type 0 in a message")
        if fmt < 2:
            length = int.from_bytes(raw[3:6], "big")
            if stream.body is not None and length != stream.length:
                raise Fault("length changed")
            if length > self.max_message:
                raise Fault("too long")
            stream.length, stream.kind = length, raw[6]
        if stream.body is None:
            if fmt == 0:
                stream.stream_id = int.from_bytes(raw[7:11], "little")
                stream.timestamp = stream.step = step
            elif extended is not None and (step - stream.timestamp) % 2**32 < limits.EXTENDED_STEP_MS:
                stream.step = (step - stream.timestamp) % 2**32
                stream.timestamp = step
            else:
                stream.step = step
                stream.timestamp = (stream.timestamp + step) % 2**32
        stream.extended = extended
        return stream

    def finish(self, message: Message) -> None:
        if message.kind not in (1, 2):
            self.messages.append(message)
            return
        if len(message.payload) < 4:
            raise Fault("short control message")
        value = int.from_bytes(message.payload[:4], "big")
        if message.kind == 2:
            if value in self.streams:
                self.streams[value].body = None
            return
        if value & 0x7FFFFFFF == 0:
            raise Fault("chunk size 0")
        self.chunk_size = min(value & 0x7FFFFFFF, limits.CHUNK_BYTES_IN_MAX)


class Encoder:
    """Writes chunks one at a time, so that a test can mix them. `wire` is what was written."""

    def __init__(self) -> None:
        self.wire = bytearray()
        self.chunk_size = 128
        self.streams: dict[int, Stream] = {}
        self.left: dict[int, bytes] = {}  # payload not written yet, of messages begun
        self.left_out: list[tuple[int, int]] = []  # where an extended timestamp was left out, and its value

    def forms(self, message: Message) -> list[int]:
        """Header types that can begin *message* so that a reader gets it back."""
        stream = self.streams.get(message.chunk_stream)
        forms = [0]
        known = stream or Stream()
        step = (message.timestamp - known.timestamp) % 2**32
        absolute = step >= 0xFFFFFF and (step - known.timestamp) % 2**32 < limits.EXTENDED_STEP_MS
        if message.stream_id != known.stream_id or absolute:
            return forms
        forms.append(1)
        if stream and (stream.length, stream.kind) == (len(message.payload), message.kind):
            forms.append(2)
            if stream.step == step:
                forms.append(3)
        return forms

    def begin(self, message: Message, fmt: int = 0, repeat: bool = True) -> None:
        """Write the first chunk of *message*; *repeat* says whether type 3 repeats the extended time."""
        stream = self.streams.setdefault(message.chunk_stream, Stream())
        step = message.timestamp if fmt == 0 else (message.timestamp - stream.timestamp) % 2**32
        if fmt < 3:
            stream.extended = step if step >= 0xFFFFFF else None
        self.basic(fmt, message.chunk_stream)
        head = min(step, 0xFFFFFF).to_bytes(3, "big")
        head += len(message.payload).to_bytes(3, "big") + bytes([message.kind])
        head += message.stream_id.to_bytes(4, "little")
        self.wire += head[: {0: 11, 1: 7, 2: 3, 3: 0}[fmt]]
        stream.timestamp, stream.step = message.timestamp, step
        stream.length, stream.kind, stream.stream_id = len(message.payload), message.kind, message.stream_id
        self.extended(stream, repeat or fmt < 3)
        self.left[message.chunk_stream] = message.payload
        self.piece(message.chunk_stream)

    def go_on(self, csid: int, repeat: bool = True) -> None:
        """Write the next chunk of the message on *csid*."""
        self.basic(3, csid)
        self.extended(self.streams[csid], repeat)
        self.piece(csid)

    def write(self, message: Message, fmt: int = 0) -> None:
        """Write a whole message."""
        self.begin(message, fmt)
        while message.chunk_stream in self.left:
            self.go_on(message.chunk_stream)

    def basic(self, fmt: int, csid: int) -> None:
        if csid < 64:
            self.wire.append(fmt << 6 | csid)
        elif csid < 320:
            self.wire += bytes([fmt << 6, csid - 64])
        else:
            self.wire += bytes([fmt << 6 | 1]) + (csid - 64).to_bytes(2, "little")

    def extended(self, stream: Stream, repeat: bool) -> None:
        if stream.extended is None:
            return
        if repeat:
            self.wire += stream.extended.to_bytes(4, "big")
        else:
            self.left_out.append((len(self.wire), stream.extended))

    def piece(self, csid: int) -> None:
        payload = self.left.pop(csid)
        self.wire += payload[: self.chunk_size]
        if payload[self.chunk_size :]:
            self.left[csid] = payload[self.chunk_size :]

    def set_chunk_size(self, size: int) -> None:
        """Write Set Chunk Size and obey it."""
        self.write(Message(1, 0, 0, 2, size.to_bytes(4, "big")))
        self.chunk_size = size

    def abort(self, csid: int) -> None:
        """Write Abort for the message on *csid*."""
        self.write(Message(2, 0, 0, 2, csid.to_bytes(4, "big")))
        self.left.pop(csid, None)
