"""An HTTP-FLV player on a plain socket: it shows every byte of the framing."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from clientsocket import connect
from flvread import AUDIO, VIDEO, FlvReader, Tag
from patience import patient
from server import HOST


class Player:
    """One request and its response, read as it comes."""

    def __init__(
        self,
        port: int,
        target: str,
        *,
        version: str = "1.1",
        method: str = "GET",
        headers: tuple[str, ...] = (),
        host: str = HOST,
        timeout: float = 15,
        buffer: int = 0,
        tls: ssl.SSLContext | None = None,
        flv: bool = True,
        source: str = "",
    ) -> None:
        """*flv*: the body is FLV and must be well-formed. *source*: the address to connect from."""
        self.sock = connect(port, timeout=timeout, buffer=buffer, source=source, tls=tls, host=host)
        lines = [f"{method} {target} HTTP/{version}", f"Host: {host}", *headers]
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.status = 0
        self.headers: dict[str, str] = {}
        self.flv = FlvReader()
        self._is_flv = flv
        self.body = bytearray()
        self.clean = False
        "The body came to its end as its framing says."
        self.ended = False
        self._wire = bytearray()

    def __enter__(self) -> Player:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    # --- head ---

    def head(self) -> Player:
        """Read the response head."""
        while not self.status:
            at = self._wire.find(b"\r\n\r\n")
            if at < 0:
                data = self.sock.recv(65536)
                assert data, f"closed within the head: {bytes(self._wire)!r}"
                self._wire += data
                continue
            first, *rest = self._wire[:at].decode("latin-1").split("\r\n")
            del self._wire[: at + 4]
            self.status = int(first.split()[1])
            self.headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in rest)}
        return self

    def turned_away(self) -> bool:
        """Whether the connection ends before a byte of an answer."""
        try:
            data = self.sock.recv(65536)
        except ConnectionError:
            return True
        self._wire += data
        return not data

    @property
    def chunked(self) -> bool:
        return self.headers.get("transfer-encoding") == "chunked"

    def text(self) -> str:
        """Read a body of known length."""
        self.head()
        length = int(self.headers.get("content-length", "0"))
        while len(self._wire) < length:
            data = self.sock.recv(65536)
            assert data, "closed within the body"
            self._wire += data
        return self._wire[:length].decode()

    # --- body ---

    def step(self) -> list[Tag]:
        """Read what is there, or wait for more; return the tags that became complete."""
        self.head()
        had = len(self.body)
        fresh = self._unpack()
        if len(self.body) > had or self.ended:
            return fresh
        try:
            data = self.sock.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended = True
            if not self.chunked:
                self.clean = self.flv.whole or not self._is_flv
            return []
        self._wire += data
        return self._unpack()

    def _unpack(self) -> list[Tag]:
        wire = self._wire
        if not self.chunked:
            data = bytes(wire)
            wire.clear()
            return self._take(data)
        fresh: list[Tag] = []
        while not self.ended:
            line = wire.find(b"\r\n")
            if line < 0:
                assert len(wire) < 20, f"no chunk size: {bytes(wire[:40])!r}"
                break
            size = int(bytes(wire[:line]), 16)
            end = line + 2 + size
            if len(wire) < end + 2:
                break
            assert wire[end : end + 2] == b"\r\n", "end of a chunk"
            data = bytes(wire[line + 2 : end])
            del wire[: end + 2]
            if size == 0:
                self.ended = self.clean = True
                assert not wire, "bytes after the last chunk"
            fresh += self._take(data)
        return fresh

    def _take(self, data: bytes) -> list[Tag]:
        self.body += data
        return self.flv.feed(data) if self._is_flv else []

    @property
    def tags(self) -> list[Tag]:
        return self.flv.tags

    def until(self, enough: Callable[[Player], bool]) -> Player:
        """Read until *enough* says so; AssertionError when the stream ends first."""
        while not enough(self):
            before = len(self.body)
            self.step()
            assert not self.ended or enough(self), f"ended after {before} bytes, {len(self.tags)} tags"
        return self

    def frames(self, count: int, kind: int = VIDEO) -> Player:
        """Read *count* more coded frames."""
        had = self.count(kind)
        return self.until(lambda me: me.count(kind) >= had + count)

    def count(self, kind: int = VIDEO) -> int:
        """Coded frames so far."""
        return sum(1 for tag in self.tags if tag.kind == kind and not tag.is_config)

    def rest(self) -> Player:
        """Read to the end."""
        while not self.ended:
            self.step()
        return self

    def save(self, path: Path) -> Path:
        """Write the recording; what follows its last whole tag is left out."""
        whole = sum(15 + len(tag.body) for tag in self.tags) + 13
        path.write_bytes(self.body[:whole])
        return path


class Read(Protocol):
    """Whatever can be read to its end."""

    def rest(self) -> object: ...


T = TypeVar("T", bound=Read)


class Recorder(threading.Thread, Generic[T]):
    """Reads a player to its end beside the test."""

    def __init__(self, player: T) -> None:
        super().__init__(daemon=True)
        self.player = player
        self.failure: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.player.rest()
        except BaseException as error:  # shown by `done`
            self.failure = error

    def done(self, timeout: float = 20) -> T:
        self.join(patient(timeout))
        assert not self.is_alive(), f"still reading: {self.player}"
        if self.failure is not None:
            raise self.failure
        return self.player


class Played(Protocol):
    """Whatever read FLV tags."""

    @property
    def tags(self) -> list[Tag]: ...


def check_start(player: Played) -> None:
    """What every player relies on: headers first, then a keyframe where there is video."""
    frames = [tag for tag in player.tags if tag.kind in (AUDIO, VIDEO)]
    video = [tag for tag in frames if tag.kind == VIDEO]
    pictures = [tag for tag in video if not tag.is_config]
    if pictures:
        assert pictures[0].is_key, "the first picture is no keyframe"
    times = [tag.time for tag in frames if tag.kind == VIDEO and not tag.is_config]
    assert times == sorted(times), "video time goes back"
    times = [tag.time for tag in frames if tag.kind == AUDIO and not tag.is_config]
    assert times == sorted(times), "audio time goes back"


def numbers(player: Played) -> list[int]:
    """Which of the pictures made by hand came."""
    return [
        int.from_bytes(tag.body[10:14], "big")
        for tag in player.tags
        if tag.kind == VIDEO and not tag.is_config
    ]


def check_complete(player: Played) -> None:
    """None of the pictures made by hand is missing since the first."""
    seen = numbers(player)
    assert seen == list(range(seen[0], seen[0] + len(seen)))
