"""FLV and HTTP chunks, slow and obvious: writers, readers, and the bodies of media messages.

Specs: FLV v10.1, E.2 to E.4; Enhanced RTMP v2; RFC 9112, 7.1.
"""

from __future__ import annotations

from typing import NamedTuple

from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv._ext.ingest.streamwriter import StreamWriter

AUDIO, VIDEO, SCRIPT, AGGREGATE = 8, 9, 18, 22
KEY, DISPOSABLE, CONFIG, COMMAND, NOTES = 1, 2, 4, 8, 16

AVC_HEADER = b"\x17\x00\x00\x00\x00" + b"\x01\x64\x00\x1f\xff\xe1\x00\x00\x01\x00\x00"
HEVC_HEADER = b"\x90hvc1" + bytes(23)
AAC_HEADER = b"\xaf\x00\x12\x10"


class Broken(Exception):
    """The bytes are not what they should be."""


class Tag(NamedTuple):
    kind: int
    dts_ms: int
    body: bytes

    @property
    def is_key(self) -> bool:
        return self.kind == VIDEO and self.body[:2] == b"\x17\x01"

    @property
    def is_header(self) -> bool:
        return self.kind != SCRIPT and self.body[1:2] == b"\x00"

    @property
    def mark(self) -> bytes:
        """What `key`, `inter` and `sound` were given."""
        return self.body[5:] if self.kind == VIDEO else self.body[2:]


def key(mark: bytes = b"") -> bytes:
    return b"\x17\x01\x00\x00\x00" + mark


def inter(mark: bytes = b"") -> bytes:
    return b"\x27\x01\x00\x00\x00" + mark


def sound(mark: bytes = b"") -> bytes:
    return b"\xaf\x01" + mark


def write_tag(tag: Tag) -> bytes:
    time = tag.dts_ms % 2**31
    size = len(tag.body)
    head = (
        bytes([tag.kind]) + size.to_bytes(3, "big") + (time % 2**24).to_bytes(3, "big") + bytes([time >> 24])
    )
    return head + bytes(3) + tag.body + (11 + size).to_bytes(4, "big")


def read_tags(data: bytes) -> list[Tag]:
    """Read whole tags up to the end of *data*; anything else is Broken."""
    tags = []
    at = 0
    while at < len(data):
        if len(data) - at < 15:
            raise Broken(f"{len(data) - at} bytes are left behind tag {len(tags)}")
        kind = data[at]
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        time = int.from_bytes(data[at + 4 : at + 7], "big") | data[at + 7] << 24
        end = at + 11 + size
        if kind not in (AUDIO, VIDEO, SCRIPT) or data[at + 8 : at + 11] != bytes(3) or end + 4 > len(data):
            raise Broken(f"no whole tag at byte {at} of {len(data)}: {data[at : at + 15].hex()}")
        if int.from_bytes(data[end : end + 4], "big") != 11 + size:
            raise Broken(f"wrong back pointer at byte {end}")
        tags.append(Tag(kind, time, data[at + 11 : end]))
        at = end + 4
    return tags


def read_file(data: bytes) -> tuple[bool, bool, list[Tag]]:
    """Return what an FLV header says of audio and video, and the tags behind it."""
    if data[:4] != b"FLV\x01" or data[5:13] != b"\x00\x00\x00\x09\x00\x00\x00\x00":
        raise Broken(f"no FLV header: {data[:13].hex()}")
    return bool(data[4] & 4), bool(data[4] & 1), read_tags(data[13:])


def dechunk(data: bytes) -> tuple[bytes, bool]:
    """Return the content of a chunked body as far as it came, and whether the last chunk was seen."""
    body = b""
    at = 0
    while at < len(data):
        line = data.find(b"\r\n", at)
        if line < 0:
            if len(data) - at > 16:
                raise Broken(f"no chunk size at byte {at}")
            return body, False
        digits = data[at:line]
        if not digits or digits.strip(b"0123456789abcdef"):
            raise Broken(f"chunk size {digits!r} at byte {at}")
        size = int(digits, 16)
        body += data[line + 2 : line + 2 + size]
        end = line + 2 + size
        if data[end : end + 2] != b"\r\n"[: max(0, len(data) - end)]:
            raise Broken(f"chunk of {size} bytes does not end at byte {end}")
        if size == 0:
            if len(data) != end + 2:
                raise Broken("bytes behind the last chunk")
            return body, True
        at = end + 2
    return body, False


def aggregate(rows: list[tuple[int, int, bytes]]) -> bytes:
    """Return the body of an aggregate message of (kind, timestamp, payload) rows (RTMP 1.0, 7.1.6)."""
    body = b""
    for kind, time, payload in rows:
        size = len(payload)
        body += bytes([kind]) + size.to_bytes(3, "big") + (time % 2**24).to_bytes(3, "big")
        body += bytes([time >> 24 & 255]) + bytes(3) + payload + (11 + size).to_bytes(4, "big")
    return body


class Feed:
    """A publisher as the writer sees it: chunks of messages through a reader. The wall clock goes with the media."""

    def __init__(self, writer: StreamWriter) -> None:
        self.writer = writer
        self.reader = ChunkReader()
        self.reader.set_sink(1, writer)

    def send(self, kind: int, time_ms: int, body: bytes, now_ms: int | None = None) -> None:
        self.writer.now_ms = time_ms if now_ms is None else now_ms
        wire = write_message(kind, time_ms % 2**32, 1, 4 if kind == AUDIO else 6, body, 128)
        assert self.reader.feed(wire) == len(wire)
        self.writer.flush()

    def video(self, time_ms: int, body: bytes) -> None:
        self.send(VIDEO, time_ms, body)

    def audio(self, time_ms: int, body: bytes) -> None:
        self.send(AUDIO, time_ms, body)


def log_tags(log) -> list[Tag]:
    """All tags that a log keeps."""
    return read_tags(log.read(log.tail, log.head))
