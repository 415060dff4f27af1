"""An RTMP publisher that does what it is told, good manners or not. Blocking, on a plain socket."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from typing import Any

from flvread import AUDIO, SCRIPT, VIDEO, Tag
from server import HOST

from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv.media.amf import amf0
from fastflv.protocols.rtmp.handshake import ClientHandshake

COMMAND, SET_CHUNK = 20, 1


class Refused(Exception):
    """The server said no; the text is the status code."""


class Publisher:
    """One RTMP connection."""

    def __init__(
        self,
        port: int,
        *,
        timeout: float = 10,
        chunk_size: int = 4096,
        tls: ssl.SSLContext | None = None,
        buffer: int = 0,
    ) -> None:
        self.sock = socket.socket()
        self.sock.settimeout(timeout)
        if buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.sock.connect((HOST, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=HOST)
        self.chunk_size = 128
        self._wanted_chunk = chunk_size
        self._reader = ChunkReader()
        self._heard: list[tuple[int, bytes]] = []
        self._port = port
        self._out = bytearray()

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Go without a word."""
        self.sock.close()

    # --- conversation ---

    def greet(self) -> Publisher:
        """The handshake."""
        shake = ClientHandshake(os.urandom(32))
        self.sock.sendall(shake.take_output())
        while not shake.done:
            data = self.sock.recv(65536)
            assert data, "closed within the handshake"
            used = shake.receive(data)
            self._feed(data[used:])
        self.sock.sendall(shake.take_output())
        if self._wanted_chunk != 128:
            self.set_chunk(self._wanted_chunk)
        return self

    def set_chunk(self, size: int) -> None:
        self.message(SET_CHUNK, size.to_bytes(4, "big"), stream=0, channel=2)
        self.chunk_size = size

    def connect(self, app: str = "live", **more: Any) -> Publisher:
        told = {"app": app, "type": "nonprivate", "tcUrl": f"rtmp://{HOST}:{self._port}/{app}", **more}
        self.command("connect", 1, told)
        self.wait("_result", 1)
        return self

    def publish(self, stream: str, app: str = "live", **more: Any) -> Publisher:
        """All that it takes to publish. Raises Refused with the status code."""
        self.greet().connect(app, **more)
        self.begin(stream)
        return self

    def begin(self, stream: str) -> None:
        """Publish on a connection that has said `connect`."""
        self.command("releaseStream", 2, None, stream)
        self.command("FCPublish", 3, None, stream)
        self.command("createStream", 4, None)
        self.wait("_result", 4)
        self.command("publish", 5, None, stream, "live", stream=1)
        info = self.wait("onStatus")[3]
        if info["code"] != "NetStream.Publish.Start":
            raise Refused(info["code"])

    def finish(self) -> None:
        """Leave as encoders do."""
        self.command("FCUnpublish", 6, None, "x")
        self.command("deleteStream", 7, None, 1.0)
        self.close()

    def command(self, name: str, transaction: float, *values: Any, stream: int = 0) -> None:
        body = amf0.encode(name, float(transaction), *values)
        self.message(COMMAND, body, stream=stream, channel=3)

    def wait(self, name: str, transaction: float | None = None) -> list[Any]:
        """Return the first command of the server with that name."""
        while True:
            while self._heard:
                kind, payload = self._heard.pop(0)
                if kind != COMMAND:
                    continue
                values = amf0.decode_all(payload)
                if values[0] == "_error":
                    raise Refused(str(values[3]["code"]))
                if values[0] == name and transaction in (None, values[1]):
                    return values
            data = self.sock.recv(65536)
            assert data, f"closed while {name} was waited for"
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            at = self._reader.feed(data, at)
            message = self._reader.message
            if message is None:
                break
            self._heard.append((message[0], message[4]))

    def closed(self, timeout: float = 10) -> bool:
        """Whether the server closes the connection within *timeout*."""
        self.sock.settimeout(timeout)
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True

    # --- media ---

    def message(self, kind: int, body: bytes, *, time: int = 0, stream: int = 1, channel: int = 4) -> None:
        self.raw(write_message(kind, time & 0xFFFFFFFF, stream, channel, body, self.chunk_size))

    def raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def tag(self, kind: int, time: int, body: bytes) -> None:
        """One message of media; metadata comes as @setDataFrame."""
        if kind == SCRIPT:
            body = amf0.encode("@setDataFrame") + body
        self.message(kind, body, time=time, channel={AUDIO: 4, VIDEO: 6}.get(kind, 5))

    def tags(self, tags: Iterable[Tag], *, offset: int = 0) -> None:
        """Many, as fast as they go."""
        for tag in tags:
            self.tag(tag.kind, tag.time + offset, tag.body)

    def live(self, tags: Iterable[Tag], *, offset: int = 0, speed: float = 1.0) -> Iterator[Tag]:
        """Send at the pace of the timestamps; yields each tag after it was sent."""
        began = time.monotonic()
        first: int | None = None
        for tag in tags:
            first = tag.time if first is None else first
            wait = began + (tag.time - first) / 1000 / speed - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            self.tag(tag.kind, tag.time + offset, tag.body)
            yield tag


# --- media made by hand: no decoder will like it, but a server must not care ---------------------

AVC = bytes.fromhex(
    "1700000000014d400cffe1001c674d400cda0282ff97016a0c020c8000000300800000190780a1135001000468ef3c80"
)
AAC = bytes.fromhex("af001210")
METADATA = amf0.encode(
    "onMetaData", {"width": 320.0, "height": 180.0, "videocodecid": 7.0, "audiocodecid": 10.0}
)


def picture(number: int, *, key: bool = False, size: int = 500, cts: int = 0) -> bytes:
    """An H.264 video body that names its number."""
    nalu = (b"\x65" if key else b"\x41") + number.to_bytes(4, "big")
    nalu += bytes([number % 251 + 1]) * (size - len(nalu))
    return (
        (b"\x17" if key else b"\x27") + b"\1" + cts.to_bytes(3, "big") + len(nalu).to_bytes(4, "big") + nalu
    )


def sound(number: int, size: int = 100) -> bytes:
    """An AAC audio body that names its number."""
    return b"\xaf\1" + number.to_bytes(4, "big") + bytes([number % 251 + 1]) * size


def headers(config: bytes = AVC, audio: bytes = AAC, metadata: bytes = METADATA) -> list[Tag]:
    return [Tag(SCRIPT, 0, metadata), Tag(VIDEO, 0, config), Tag(AUDIO, 0, audio)]


def film(count: int, *, gop: int = 25, start: int = 0, first: int = 0, size: int = 500) -> Iterator[Tag]:
    """*count* pictures 40 ms apart, each with a sound; no headers."""
    for i in range(count):
        at = start + 40 * i
        yield Tag(VIDEO, at, picture(first + i, key=i % gop == 0, size=size))
        yield Tag(AUDIO, at + 10, sound(first + i))
