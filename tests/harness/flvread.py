"""Reading FLV: tags of bytes, and what a tag is. Written for tests, apart from the server's own code."""

from __future__ import annotations

from typing import NamedTuple

AUDIO, VIDEO, SCRIPT = 8, 9, 18


class Tag(NamedTuple):
    """One FLV tag without its frame."""

    kind: int
    time: int
    body: bytes

    @property
    def is_config(self) -> bool:
        """A sequence header, or another tag that carries no picture and no sound."""
        if self.kind == SCRIPT or not self.body:
            return True
        first = self.body[0]
        if self.kind == VIDEO:
            if first & 0x80:
                packet = first & 15
                if packet == 6:
                    packet = self.body[1] & 15
                return packet in (0, 2, 4, 5)
            return first & 15 in (7, 12, 13) and self.body[1] != 1
        if first >> 4 == 9:
            packet = first & 15
            if packet == 5:
                packet = self.body[1] & 15
            return packet in (0, 2, 4)
        return first >> 4 == 10 and self.body[1] != 1

    @property
    def is_key(self) -> bool:
        """A coded keyframe."""
        return self.kind == VIDEO and not self.is_config and (self.body[0] >> 4) & 7 == 1


class FlvReader:
    """Takes the bytes of an FLV stream in any pieces; `tags` are those complete so far."""

    def __init__(self) -> None:
        self.header = b""
        self.tags: list[Tag] = []
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Tag]:
        """Take bytes; return the tags that they complete. Asserts what every FLV reader relies on."""
        rest = self._rest
        rest += data
        if not self.header:
            if len(rest) < 13:
                return []
            self.header = bytes(rest[:9])
            assert self.header[:4] == b"FLV\1" and self.header[5:9] == b"\0\0\0\x09", self.header
            assert rest[9:13] == bytes(4), "back pointer 0"
            del rest[:13]
        fresh = []
        at = 0
        while len(rest) - at >= 15:
            size = int.from_bytes(rest[at + 1 : at + 4], "big")
            end = at + 11 + size
            if len(rest) < end + 4:
                break
            kind = rest[at]
            assert kind in (AUDIO, VIDEO, SCRIPT), f"tag type {kind} after {len(self.tags)} tags"
            assert rest[at + 8 : at + 11] == bytes(3), "stream id"
            assert int.from_bytes(rest[end : end + 4], "big") == size + 11, "back pointer"
            time = int.from_bytes(rest[at + 4 : at + 7], "big") | rest[at + 7] << 24
            fresh.append(Tag(kind, time, bytes(rest[at + 11 : end])))
            at = end + 4
        del rest[:at]
        self.tags += fresh
        return fresh

    @property
    def whole(self) -> bool:
        """Nothing of a further tag has come."""
        return bool(self.header) and not self._rest

    @property
    def flags(self) -> int:
        """4: audio, 1: video."""
        return self.header[4]


def read_flv(data: bytes) -> FlvReader:
    """Read a whole recording; it must end with a whole tag."""
    reader = FlvReader()
    reader.feed(data)
    assert reader.whole, "cut inside of a tag"
    return reader


def media(tags: list[Tag], kind: int | None = None) -> list[Tag]:
    """The coded frames, of one kind or of both."""
    return [tag for tag in tags if not tag.is_config and kind in (None, tag.kind)]


def flv_file(tags: list[Tag], flags: int = 5) -> bytes:
    """Write tags as a file."""
    out = bytearray(b"FLV\1" + bytes([flags]) + b"\0\0\0\x09" + bytes(4))
    for tag in tags:
        out += bytes([tag.kind]) + len(tag.body).to_bytes(3, "big") + (tag.time & 0xFFFFFF).to_bytes(3, "big")
        out += bytes([tag.time >> 24 & 0x7F]) + bytes(3) + tag.body + (len(tag.body) + 11).to_bytes(4, "big")
    return bytes(out)
