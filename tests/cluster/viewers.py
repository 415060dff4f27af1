"""Viewers of all outputs on non-blocking sockets, read by one thread, which note when each frame of the film came."""

from __future__ import annotations

import base64
import os
import re
import socket
import time
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin

from film import Film
from flvread import AUDIO, VIDEO, FlvReader, Tag
from rtmpplayer import Chunks, RtmpPlayer
from server import HOST

POLL_SECONDS: Final = 0.5
"Between two looks of an HLS viewer at its playlist."
PACKET, SYNC, VIDEO_PID = 188, 0x47, 0x100
CLOSE, PING, PONG = 8, 9, 10


@dataclass
class Seen:
    """What has come to one viewer."""

    pictures: list[int] = field(default_factory=list)
    "Places in the film."
    times: list[float] = field(default_factory=list)
    "When each picture came, monotonic clock, seconds."
    sounds: list[int] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)
    "Times of the pictures as the container has them, ms."
    segments: list[tuple[float, float]] = field(default_factory=list)
    "Of HLS: when each segment came, and its length in seconds."


class Viewer:
    """One player. The crowd's thread reads; nothing here blocks but the constructor."""

    ending = "flv"
    "Of the path."

    def __init__(self, film: Film, output: str, edge: int, stream: str, rtmp: int, http: int) -> None:
        """*edge*: number of the edge that it is at, for the report."""
        self.output = output
        self.edge = edge
        self.stream = stream
        self.seen = Seen()
        self.over = ""
        "Why it plays no more; empty while it does."
        self.asked = time.monotonic()
        self._film = film
        self.sock = self._open(rtmp, http)
        self.sock.setblocking(False)

    def __repr__(self) -> str:
        return f"{self.output} of {self.stream} at edge {self.edge}: {self.over or f'{len(self.seen.pictures)} pictures'}"

    def _open(self, rtmp: int, http: int) -> socket.socket:
        sock = socket.create_connection((HOST, http), 30)
        # HTTP/1.0: the body is neither chunked nor counted.
        sock.sendall(
            f"GET /live/{self.stream}.{self.ending} HTTP/1.{self._minor}\r\nHost: {HOST}\r\n{self._fields()}\r\n".encode()
        )
        self._head = b""
        return sock

    _minor = 0

    def _fields(self) -> str:
        return ""

    def take(self, data: bytes) -> None:
        """Take what came of the connection."""
        if self._head is not None:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            if head.split()[1] not in (b"200", b"101"):
                self.over = head.partition(b"\r\n")[0].decode()
                return
            self._head = None
        self.take_body(data)

    def take_body(self, data: bytes) -> None:
        raise NotImplementedError

    def tick(self, now: float) -> None:
        """Do what is due."""

    def read(self) -> None:
        """Read what is there."""
        try:
            data = self.sock.recv(1 << 18)
            if data:
                self.take(data)
            else:
                self.over = self.over or "closed"
        except BlockingIOError:
            return
        except OSError as error:
            self.over = f"lost: {error}"
        except (AssertionError, KeyError, ValueError) as error:
            self.over = f"broken: {type(error).__name__} {error}"

    def take_picture(self, place: int, stamp: int, when: float) -> None:
        self.seen.pictures.append(place)
        self.seen.stamps.append(stamp)
        self.seen.times.append(when)

    def take_tags(self, tags: list[Tag]) -> None:
        now = time.monotonic()
        for tag in tags:
            if tag.kind not in (AUDIO, VIDEO) or tag.is_config:
                continue
            place = self._film.place(tag.kind, tag.body)
            if tag.kind == VIDEO:
                self.take_picture(place, tag.time, now)
            else:
                self.seen.sounds.append(place)


class FlvViewer(Viewer):
    _flv: FlvReader | None = None

    def take_body(self, data: bytes) -> None:
        self._flv = self._flv or FlvReader()
        self.take_tags(self._flv.feed(data))
        self._flv.tags.clear()


class WebSocketViewer(FlvViewer):
    """Frames of a server are not masked (RFC 6455, 5.2)."""

    _minor = 1
    _rest = b""

    def _fields(self) -> str:
        key = base64.b64encode(os.urandom(16)).decode()
        return f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"

    def take_body(self, data: bytes) -> None:
        rest, at, parts = self._rest + data, 0, []
        while len(rest) - at >= 2:
            size, start = rest[at + 1] & 127, at + 2
            if size >= 126:
                start += 2 if size == 126 else 8
                size = int.from_bytes(rest[at + 2 : start], "big")
            if len(rest) < start + size:
                break
            payload, kind = rest[start : start + size], rest[at] & 15
            at = start + size
            if kind == CLOSE:
                self.over = f"code {int.from_bytes(payload[:2], 'big')}"
            elif kind == PING:
                # A mask of zeros changes nothing.
                self.sock.send(bytes([0x80 | PONG, 0x80 | size]) + bytes(4) + payload)
            else:
                parts.append(payload)
        self._rest = rest[at:]
        super().take_body(b"".join(parts))


class RtmpViewer(Viewer):
    def _open(self, rtmp: int, http: int) -> socket.socket:
        player = RtmpPlayer(rtmp, timeout=30).open(self.stream)
        player.told("NetStream.Play.Start")
        self._chunks: Chunks = player.chunks
        self._head = None
        self.take_tags(player.tags)
        return player.sock

    def take_body(self, data: bytes) -> None:
        self.take_tags([Tag(each.kind, each.time, each.body) for each in self._chunks.feed(data)])


class TsPictures:
    """Finds the pictures of a transport stream."""

    def __init__(self, film: Film) -> None:
        self._film = film
        self._rest = b""
        self._pes = bytearray()
        self._size = 0

    def feed(self, data: bytes) -> list[tuple[int, int]]:
        """Return place and DTS (ms) of each picture that *data* completes."""
        rest, found = self._rest + data, []
        end = len(rest) - len(rest) % PACKET
        for at in range(0, end, PACKET):
            assert rest[at] == SYNC, "no sync byte"
            if (rest[at + 1] & 0x1F) << 8 | rest[at + 2] != VIDEO_PID or not rest[at + 3] & 0x10:
                continue
            start = at + 4 + (1 + rest[at + 4] if rest[at + 3] & 0x20 else 0)
            if rest[at + 1] & 0x40:
                assert len(self._pes) == self._size, "a picture that does not end"
                self._pes.clear()
                self._size = 6 + int.from_bytes(rest[start + 4 : start + 6], "big")
            self._pes += rest[start : at + PACKET]
            if self._size and len(self._pes) >= self._size:
                found.append(self._picture())
        self._rest = rest[end:]
        return found

    def _picture(self) -> tuple[int, int]:
        pes = bytes(self._pes)
        at = 14 if pes[7] & 0x40 else 9
        stamp = (
            (pes[at] >> 1 & 7) << 30
            | pes[at + 1] << 22
            | pes[at + 2] >> 1 << 15
            | pes[at + 3] << 7
            | pes[at + 4] >> 1
        )
        return self._film.picture(pes[9 + pes[8] :]), stamp // 90


class TsViewer(Viewer):
    ending = "ts"

    def __init__(self, film: Film, *where: object) -> None:
        self._ts = TsPictures(film)
        super().__init__(film, *where)  # type: ignore[arg-type]

    def take_body(self, data: bytes) -> None:
        now = time.monotonic()
        for place, stamp in self._ts.feed(data):
            self.take_picture(place, stamp, now)


class HlsViewer(Viewer):
    """Polls its playlist and takes each segment in its order, all on one connection."""

    def _open(self, rtmp: int, http: int) -> socket.socket:
        self._rest = b""
        self._path = self._playlist = f"/live/{self.stream}.m3u8"
        self._due = 0.0
        self._wanted: list[tuple[str, float]] = []
        "Segments that were listed and not fetched, with their lengths."
        self._next = -1
        "Number of the next segment; -1: the newest one."
        self._asked = 0.0
        return socket.create_connection((HOST, http), 30)

    def tick(self, now: float) -> None:
        if now < self._due or self.over:
            return
        self._due = float("inf")
        try:
            self.sock.send(f"GET {self._path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        except OSError as error:
            self.over = f"lost: {error}"

    def take(self, data: bytes) -> None:
        self._rest += data
        head, end, body = self._rest.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if not end or length is None or len(body) < int(length[1]):
            return
        self._rest = b""
        if head.split()[1] != b"200":
            self.over = head.partition(b"\r\n")[0].decode()
        elif body.startswith(b"#EXTM3U"):
            self._listed(body.decode())
        else:
            self._take_segment(body)
        if self._wanted:
            self._path, self._due = urljoin(self._playlist, self._wanted[0][0]), time.monotonic()
        elif self._due == float("inf"):
            self._path, self._due = self._playlist, time.monotonic() + POLL_SECONDS

    def _listed(self, text: str) -> None:
        names = [line for line in text.splitlines() if line and line[0] != "#"]
        if "#EXT-X-STREAM-INF" in text:
            self._path = self._playlist = urljoin(self._path, names[-1])
            self._due = time.monotonic()
            return
        lengths = [float(each) for each in re.findall(r"#EXTINF:([\d.]+)", text)]
        first = int(re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)[1])  # type: ignore[index]
        last = first + len(names)
        begin = last - 1 if self._next < 0 else self._next
        assert begin >= first, f"segment {begin} has left the playlist, which begins with {first}"
        self._wanted += list(zip(names, lengths, strict=True))[begin - first :]
        self._next = last

    def _take_segment(self, body: bytes) -> None:
        now = time.monotonic()
        _, length = self._wanted.pop(0)
        self.seen.segments.append((now, length))
        for place, stamp in TsPictures(self._film).feed(body):
            self.take_picture(place, stamp, now)


KINDS: Final[dict[str, type[Viewer]]] = {
    "flv": FlvViewer,
    "ts": TsViewer,
    "ws": WebSocketViewer,
    "rtmp": RtmpViewer,
    "hls": HlsViewer,
}
