"""Many players of all outputs on plain sockets, and those who publish for them: one thread each."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

from flvread import AUDIO, VIDEO
from publisher import Publisher, headers, picture, sound
from rtmpplayer import RtmpPlayer
from server import HOST
from tlsfiles import trusting
from watchers import Watchers

OUTPUTS: Final = ("flv", "https", "ws", "ts", "aac", "hls", "rtmp")
TICK_SECONDS: Final = 0.04
"Between two pictures."
CLOSE, PING, PONG = 8, 9, 10
"Kinds of control frames of a WebSocket."
POLL_SECONDS: Final = 1.0
"Between two looks of an HLS viewer at its playlist."


@dataclass(frozen=True)
class Ports:
    """Where a server listens."""

    rtmp: int
    http: int
    https: int


def connected(port: int, source: str) -> socket.socket:
    """A connection from the address *source*."""
    return socket.create_connection((HOST, port), 15, (source, 0))


class Viewer:
    """One player. The crowd's thread reads; nothing here blocks but the constructor."""

    def __init__(self, ports: Ports, output: str, stream: str, source: str = HOST) -> None:
        self.output = output
        self.stream = stream
        self.source = source
        self.received = 0
        "Bytes so far."
        self.sends = 0
        "Sends of the server, where its framing shows them: chunks of HTTP, frames of a WebSocket."
        self.over = ""
        "Why it plays no more; empty while it does."
        self.sock = self._open(ports)
        self.sock.setblocking(False)

    def __repr__(self) -> str:
        return f"{self.output} of {self.stream} from {self.source}: {self.over or f'{self.received} bytes'}"

    def _open(self, ports: Ports) -> socket.socket:
        raise NotImplementedError

    def take(self, data: bytes) -> None:
        """Take what came."""
        self.received += len(data)

    def tick(self, now: float) -> None:
        """Do what is due."""

    def read(self) -> None:
        """Read all that is there."""
        try:
            while not self.over:
                data = self.sock.recv(1 << 18)
                if not data:
                    self.end("closed")
                    return
                self.take(data)
                if len(data) < 1 << 14 and not isinstance(self.sock, ssl.SSLSocket):
                    return
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError as error:
            self.end(f"lost: {error}")

    def end(self, why: str) -> None:
        self.over = self.over or why


class RtmpViewer(Viewer):
    """Media is not looked at."""

    def _open(self, ports: Ports) -> socket.socket:
        player = RtmpPlayer(ports.rtmp, source=self.source).open(self.stream)
        player.told("NetStream.Play.Start")
        return player.sock


class HttpViewer(Viewer):
    """One request; the body is counted in chunks, and a chunk is one send of the server."""

    def __init__(self, ports: Ports, output: str, stream: str, source: str = HOST) -> None:
        self.status = 0
        self._head = b""
        self._skip = 0
        self._size = b""
        super().__init__(ports, output, stream, source)

    def _open(self, ports: Ports) -> socket.socket:
        secure, ending = self.output == "https", "flv" if self.output in ("https", "ws") else self.output
        sock = connected(ports.https if secure else ports.http, self.source)
        if secure:
            sock = trusting().wrap_socket(sock, server_hostname=HOST)
        sock.sendall(f"GET /live/{self.stream}.{ending} HTTP/1.1\r\n{self._fields()}\r\n".encode())
        return sock

    def _fields(self) -> str:
        return f"Host: {HOST}\r\n"

    def take(self, data: bytes) -> None:
        super().take(data)
        if not self.status:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self.status = int(head.split()[1])
            if self.status not in (101, 200):
                self.end(str(self.status))
                return
        self._count(data)

    def _count(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._size += data[at:]
                return
            size = int(self._size + data[at:end], 16)
            self._size, at = b"", end + 1
            if not size:
                self.end("ended")
                return
            self._skip = size + 2
            self.sends += 1


class WebSocketViewer(HttpViewer):
    """Frames of a server are not masked. Pings are answered, as the server closes who does not."""

    def _fields(self) -> str:
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        return f"{super()._fields()}{upgrade}Sec-WebSocket-Version: 13\r\n"

    def _count(self, data: bytes) -> None:
        data = self._size + data
        at = 0
        while True:
            step = min(self._skip, len(data) - at)
            self._skip -= step
            at += step
            self._size = data[at:]
            if len(self._size) < 2:
                return
            size, long = self._size[1] & 127, 0
            if size >= 126:
                long = 2 if size == 126 else 8
                if len(self._size) < 2 + long:
                    return
                size = int.from_bytes(self._size[2 : 2 + long], "big")
            kind = self._size[0] & 15
            if kind & 8 and len(self._size) < 2 + size:
                return
            if kind == CLOSE:
                self.end(f"code {int.from_bytes(self._size[2:4], 'big')}")
                return
            if kind == PING:
                # A mask of zeros changes nothing.
                self.sock.send(bytes([0x80 | PONG, 0x80 | size]) + bytes(4) + self._size[2 : 2 + size])
            elif not kind & 8:
                self.sends += 1
            self._skip = 2 + long + size


class HlsViewer(Viewer):
    """Polls its playlist and takes each new segment, all on one connection."""

    def __init__(self, ports: Ports, output: str, stream: str, source: str = HOST) -> None:
        self._rest = b""
        self._path = f"/live/{stream}.m3u8"
        "What is asked for now."
        self._playlist = self._path
        self._due = 0.0
        "When to ask next; infinite while an answer is awaited."
        self._seen = ""
        self.segments = 0
        super().__init__(ports, output, stream, source)

    def _open(self, ports: Ports) -> socket.socket:
        return connected(ports.http, self.source)

    def tick(self, now: float) -> None:
        if now >= self._due and not self.over:
            self._due = float("inf")
            try:
                self.sock.send(f"GET {self._path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            except OSError as error:
                self.end(f"lost: {error}")

    def take(self, data: bytes) -> None:
        super().take(data)
        self._rest += data
        head, end, body = self._rest.partition(b"\r\n\r\n")
        if not end:
            return
        words = head.decode("latin-1").split("\r\n")
        length = next(int(word[15:]) for word in words if word.lower().startswith("content-length:"))
        if len(body) < length:
            return
        self._rest = b""
        status = words[0].split()[1]
        if status != "200":
            self.end(status)
        else:
            self._answered(body)

    def _answered(self, body: bytes) -> None:
        """Follow the master playlist to the other, that to its newest segment, and that back to it."""
        self._due = time.monotonic()
        if body[:7] != b"#EXTM3U":
            self.segments += 1
            self._path = self._playlist
            self._due += POLL_SECONDS
            return
        last = [line for line in body.decode().splitlines() if line and line[0] != "#"][-1]
        found = urljoin(self._path, last)
        if ".m3u8" in last:
            self._path = self._playlist = found
        elif found != self._seen:
            self._path = self._seen = found
        else:
            self._due += POLL_SECONDS


KINDS: Final[dict[str, type[Viewer]]] = {"ws": WebSocketViewer, "hls": HlsViewer, "rtmp": RtmpViewer}


def viewer(ports: Ports, output: str, stream: str, source: str = HOST) -> Viewer:
    """Make a player of *output*."""
    return KINDS.get(output, HttpViewer)(ports, output, stream, source)


class Crowd(Watchers[Viewer]):
    """Players of several addresses."""

    def remove(self, gone: Sequence[Viewer]) -> None:
        """Forget viewers that are over."""
        self.viewers = [each for each in self.viewers if each not in gone]

    def over(self, source: str = "") -> list[Viewer]:
        """Viewers that play no more, of one address or of all."""
        return [each for each in self.viewers if each.over and source in ("", each.source)]


class Studio(threading.Thread):
    """Publishes small pictures of a number each to several streams, a keyframe a second."""

    def __init__(self, port: int, streams: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self.pictures = 0
        "Of each stream so far."
        self.lost = ""
        "Why a publish ended before its time."
        self._enough = threading.Event()
        self._publishers = [Publisher(port).publish(stream) for stream in streams]
        for each in self._publishers:
            each.tags(headers())
        self.start()

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *failure: object) -> None:
        self._enough.set()
        self.join(10)
        with suppress(ConnectionError):
            for each in self._publishers:
                each.finish()

    def run(self) -> None:
        began = time.monotonic()
        while not self._enough.is_set():
            number = self.pictures
            at = 40 * number
            try:
                for each in self._publishers:
                    each.tag(VIDEO, at, picture(number, key=number % 25 == 0, size=200))
                    each.tag(AUDIO, at + 10, sound(number, 40))
            except OSError as error:
                self.lost = str(error)
                return
            self.pictures += 1
            # A machine that was busy goes on at the usual pace: nothing is caught up with.
            began = max(began + TICK_SECONDS, time.monotonic() - TICK_SECONDS)
            self._enough.wait(max(began - time.monotonic(), 0))
