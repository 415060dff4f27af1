"""A publisher of numbered pictures, the connection of one player of a sender thread, and a check of what it read."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable

import pytest
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, Feed, Tag, dechunk, inter, key, read_file, sound

from fastflv._ext.fanout.sender import Sender, SendHandle
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.block import MediaBlock
from fastflv._ext.log.medialog import MediaLog

RAW, CHUNKED = 0, 1
FRAMINGS = pytest.mark.parametrize("framing", [RAW, CHUNKED], ids=["raw", "chunked"])
SLOW = {"receive_bytes": 4096, "send_bytes": 8192}
HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
FLV = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"


def wait_for(true: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for what a sender thread counts, which no event tells of."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it has not come to be"
        time.sleep(0)


class Publisher(Feed):
    """A publisher of numbered frames: H.264 at 25 fps with a key every *gop* frames, AAC between.

    With *spare* no other picture refers to those of odd place in their GOP; the first *leading* behind a key are shown
    before it.
    """

    def __init__(
        self, gop: int = 10, frame_bytes: int = 500, *, spare: bool = False, leading: int = 0, **bounds: int
    ) -> None:
        super().__init__(StreamWriter(MediaLog(**bounds)))
        self.log = self.writer.log
        self.gop = gop
        self.frame_bytes = frame_bytes
        self.spare = spare
        self.leading = leading
        self.next = 0
        self.writer.begin(10)
        self.writer.set_metadata(b"\x02\x00\x0aonMetaData\x05", 0)
        self.audio(0, AAC_HEADER)
        self.video(0, AVC_HEADER)

    def frames(self, count: int = 1) -> None:
        for _ in range(count):
            number = struct.pack(">I", self.next)
            mark = number + random.Random(self.next).randbytes(self.frame_bytes)
            self.video(self.next * 40, self.picture(self.next % self.gop, mark))
            self.audio(self.next * 40 + 20, sound(number))
            self.next += 1

    def picture(self, place: int, mark: bytes) -> bytes:
        """Body of the picture at *place* in its GOP."""
        if place == 0:
            return key(mark)
        body = bytearray(inter(mark))
        if self.spare and place % 2:
            body[0] = 0x37
        if place <= self.leading:
            body[2:5] = (-40 * place - 20 & 0xFFFFFF).to_bytes(3, "big")
        return bytes(body)


class CodedPublisher(Publisher):
    """The same with lengths before the units, as TS needs them."""

    def picture(self, place: int, mark: bytes) -> bytes:
        body = super().picture(place, b"")
        unit = bytes([0x65 if place == 0 else 0x01 if body[0] == 0x37 else 0x41]) + mark
        return body[:5] + len(unit).to_bytes(4, "big") + unit


class Viewer:
    """A player's connection, and what it has read so far."""

    def __init__(
        self,
        sender: Sender,
        tcp,
        log: MediaLog,
        *,
        framing: int = RAW,
        start: bytes = FLV,
        sizes=None,
        **more,
    ):
        server, self.socket = tcp(**(sizes or {}))
        self.framing = framing
        self.data = b""
        block = MediaBlock(start) if start else None
        self.player: SendHandle = sender.add(
            server.detach(), log, framing=framing, preamble=MediaBlock(HEAD), start=block, **more
        )

    def read(self, size: int) -> None:
        """Read some *size* more bytes, fewer at the end."""
        wanted = len(self.data) + size
        while len(self.data) < wanted:
            block = self.socket.recv(min(65536, wanted - len(self.data)))
            if not block:
                return
            self.data += block

    def read_until(self, content_size: int) -> None:
        """Read until that much content has come."""
        while len(self.body[0]) < content_size:
            block = self.socket.recv(65536)
            assert block, "the connection ended early"
            self.data += block

    def read_past_a_jump(self) -> None:
        """Read until the sender has moved this player on."""
        while not self.player.jumps:
            self.data += self.socket.recv(1000)

    def read_all(self) -> None:
        while block := self.socket.recv(1 << 20):
            self.data += block

    @property
    def body(self) -> tuple[bytes, bool]:
        """Content behind the response head, and whether it ended as the framing says."""
        assert HEAD.startswith(self.data[: len(HEAD)])
        body = self.data[len(HEAD) :]
        return (body, False) if self.framing == RAW else dechunk(body)

    @property
    def tags(self) -> list[Tag]:
        return read_file(self.body[0])[2]


def stall(sender: Sender, tcp, publisher: Publisher, framing: int, *, jump_ms: int, **more) -> Viewer:
    """Let a player with small buffers join; what there is at first it reads."""
    log = publisher.log
    start = FLV + log.key_headers
    viewer = Viewer(
        sender,
        tcp,
        log,
        framing=framing,
        start=start,
        position=log.key_pos,
        sizes=SLOW,
        jump_ms=jump_ms,
        # Media is made faster than in life.
        close_ms=1 << 40,
        **more,
    )
    viewer.read_until(len(start) + log.head - log.key_pos)
    return viewer


def numbers(tags: list[Tag]) -> list[int]:
    """Check order and resumption of what a player read; return the numbers of the video frames."""
    seen: list[int] = []
    headers: set[bytes] = set()
    for tag in tags:
        if tag.is_header:
            headers.add(tag.body)
        elif tag.kind in (AUDIO, VIDEO):
            number = struct.unpack(">I", tag.mark[:4])[0]
            if tag.kind == VIDEO:
                if not seen or number != seen[-1] + 1:
                    assert tag.is_key, f"frame {number} follows {seen[-1:]} and is no key"
                    assert headers == {AAC_HEADER, AVC_HEADER}, f"no headers before frame {number}"
                assert tag.mark[4:] == random.Random(number).randbytes(len(tag.mark) - 4)
                seen.append(number)
                headers = set()
            else:
                assert seen
                assert number == seen[-1], f"sound {number} behind frame {seen[-1]}"
    assert seen == sorted(set(seen))
    return seen
