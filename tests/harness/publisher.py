"""An RTMP publisher that does what it is told, good manners or not. Blocking, on a plain socket."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterable, Iterator

from flvread import AUDIO, SCRIPT, VIDEO, Tag
from rtmppeer import RtmpPeer
from server import HOST

from fastflv.media.amf import amf0
from fastflv.protocols.rtmp.client import ClientSession
from fastflv.protocols.rtmp.clientevents import ClientEvent, Connected, Failed, Started
from fastflv.protocols.rtmp.connectarguments import ConnectArguments


class Refused(Exception):
    """The server said no; the text is the status code."""


class Publisher(RtmpPeer):
    """One RTMP connection, with the client session of fastflv."""

    def __init__(
        self,
        port: int,
        *,
        timeout: float = 10,
        chunk_size: int = 4096,
        tls: ssl.SSLContext | None = None,
        buffer: int = 0,
        source: str = "",
    ) -> None:
        super().__init__(port, timeout=timeout, tls=tls, buffer=buffer, source=source)
        self._wanted_chunk = chunk_size
        self.session: ClientSession
        self.streams: dict[str, int] = {}
        "Message streams of what is published, by name."
        self.stream = 0
        "Message stream that began last."

    # --- commands ---

    def connect(self, app: str = "live", tc_url: str = "", page_url: str = "") -> Publisher:
        """Handshake and connect. Raises Refused with the status code."""
        tc_url = tc_url or f"rtmp://{HOST}:{self.port}/{app}"
        arguments = ConnectArguments(tc_url=tc_url, app=app, page_url=page_url)
        self.session = ClientSession(arguments, noise=os.urandom, chunk_size=self._wanted_chunk)
        self.raw(self.session.take_output())
        self.until(Connected)
        self.chunk_size = self.session.chunk_size
        return self

    def publish(self, stream: str, app: str = "live", tc_url: str = "") -> Publisher:
        """All that it takes to publish. Raises Refused with the status code."""
        self.connect(app, tc_url).begin(stream)
        return self

    def begin(self, stream: str) -> None:
        """Publish on a connection that has said `connect`."""
        self.session.publish(stream)
        self.raw(self.session.take_output())
        started = self.until(Started)
        assert isinstance(started, Started) and started.name == stream
        self.stream = self.streams[stream] = started.stream_id

    def end(self, stream: str) -> None:
        """End one publish as encoders do; the connection stays."""
        self.session.delete(self.streams.pop(stream))
        self.raw(self.session.take_output())

    def finish(self) -> None:
        """Leave as encoders do."""
        for stream in list(self.streams):
            self.end(stream)
        self.close()

    def until(self, kind: type[ClientEvent]) -> ClientEvent:
        """Read to the first event of a kind. Raises Refused at a refusal."""
        while True:
            data = self.sock.recv(65536)
            assert data, f"closed while {kind.__name__} was waited for"
            self.session.now = time.monotonic()
            found = self.session.receive(data)
            self.raw(self.session.take_output())
            for event in found:
                if isinstance(event, Failed):
                    raise Refused(event.code)
                if isinstance(event, kind):
                    return event

    # --- media ---

    def tag(self, kind: int, time: int, body: bytes, *, stream: int = 0) -> None:
        """One message of media; metadata comes as @setDataFrame. *stream* is the one that began last unless given."""
        self.raw(self.session.write_media(stream or self.stream, kind, time, body))

    def tags(self, tags: Iterable[Tag], *, offset: int = 0, stream: int = 0) -> None:
        """Many, as fast as they go."""
        for tag in tags:
            self.tag(tag.kind, tag.time + offset, tag.body, stream=stream)

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


def silent_headers() -> list[Tag]:
    """Those of pictures without sound: players need not wait for a track that was promised."""
    metadata = amf0.encode("onMetaData", {"width": 320.0, "height": 180.0, "videocodecid": 7.0})
    return [Tag(SCRIPT, 0, metadata), Tag(VIDEO, 0, AVC)]


def film(count: int, *, gop: int = 25, start: int = 0, first: int = 0, size: int = 500) -> Iterator[Tag]:
    """*count* pictures 40 ms apart, each with a sound; no headers."""
    for i in range(count):
        at = start + 40 * i
        yield Tag(VIDEO, at, picture(first + i, key=i % gop == 0, size=size))
        yield Tag(AUDIO, at + 10, sound(first + i))
