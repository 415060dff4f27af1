"""HLS viewers: each has a connection and a session of its own, and asks for one thing after the other."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

from benchmarks.fanout.errors import BenchError
from benchmarks.files.clients import BLOCK, connect, len_of, request

SEGMENTS = 3
"Segments that a playlist has before anything is measured."

START_SECONDS = 60.0


@dataclass
class Viewer:
    """One viewer, and the answer that it is reading."""

    sock: socket.socket
    paths: Sequence[str]
    "What it asks for, in turn."

    at: int = 0
    left: int = 0
    "Bytes of the body that are still to come."

    within: bool = False
    "It has read the head of the answer."

    def ask(self) -> None:
        """Send the next request."""
        self.sock.sendall(request(self.paths[self.at]))
        self.at = (self.at + 1) % len(self.paths)
        self.within = False

    def read(self) -> int:
        """Take what has come; return the bytes that were of a body."""
        if self.within:
            got = len_of(self.sock, min(BLOCK, self.left))
            if not got:
                raise BenchError("the server closed a connection within a body")
        else:
            data = self.sock.recv(1 << 16)
            head, mark, body = data.partition(b"\r\n\r\n")
            if not mark:
                raise BenchError(f"the server answered {data[:60]!r}")
            self.left = length_of(head)
            self.within = True
            got = len(body)
        self.left -= got
        return got


def length_of(head: bytes) -> int:
    """Return the length of the body that *head* announces. Raises BenchError for any answer but 200 with a length."""
    if not head.startswith(b"HTTP/1.1 200"):
        raise BenchError(f"the server answered {head[:60]!r}")
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise BenchError("the server gives no length of its answers")


def fetch(port: int, path: str) -> bytes | None:
    """Return the body of *path*; None for an answer that is no 200."""
    with connect(port) as sock:
        sock.sendall(request(path))
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(1 << 16)
            if not piece:
                return None
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            return None
        size = length_of(head)
        while len(body) < size:
            piece = sock.recv(1 << 20)
            if not piece:
                raise BenchError("the server closed a connection within a body")
            body += piece
        return body


def names_in(playlist: bytes) -> list[str]:
    """Return the URLs that a playlist has."""
    return [line for line in playlist.decode().splitlines() if line and not line.startswith("#")]


def media_playlist(port: int, path: str) -> tuple[str, list[str]]:
    """Open a session: return the path of its media playlist, and those of its segments, oldest first."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        found = fetch(port, path)
        if found is not None and b"#EXT-X-STREAM-INF" in found:
            path = urljoin(path, names_in(found)[0])
            continue
        names = names_in(found) if found is not None else []
        if len(names) >= SEGMENTS:
            return path, [urljoin(path, name) for name in names]
        time.sleep(0.2)
    raise BenchError(f"the playlist {path} has not {SEGMENTS} segments after {START_SECONDS:.0f} s")


def ask(port: int, paths: Sequence[Sequence[str]], seconds: float) -> tuple[int, int]:
    """Have a viewer for each of *paths* ask for these in turn; return the answers, and the bytes of their bodies."""
    viewers = [Viewer(connect(port), each) for each in paths]
    answers = size = 0
    end = time.monotonic() + seconds
    with selectors.DefaultSelector() as waiting:
        for viewer in viewers:
            waiting.register(viewer.sock, selectors.EVENT_READ, viewer)
            viewer.ask()
        while time.monotonic() < end:
            for key, _ in waiting.select(1.0):
                viewer = key.data
                size += viewer.read()
                if viewer.within and viewer.left == 0:
                    answers += 1
                    viewer.ask()
    for viewer in viewers:
        viewer.sock.close()
    return answers, size
