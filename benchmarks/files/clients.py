"""Who asks for files: one download after the other, many small requests, and downloads that are slow."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Sequence

from benchmarks.fanout.errors import BenchError

BLOCK = 1 << 20
TIMEOUT = 60.0


def connect(port: int, receive_bytes: int = 0) -> socket.socket:
    """Connect; *receive_bytes*: a bound of the kernel's buffer."""
    sock = socket.socket()
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.settimeout(TIMEOUT)
    sock.connect(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def request(path: str) -> bytes:
    """A request as a player sends it."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n".encode()


def read_head(sock: socket.socket) -> tuple[int, int]:
    """Read an answer's head; return the length of the body, and how much of it has come."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(4096)
        if not piece:
            raise BenchError("the server closed a connection within a head")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise BenchError(f"the server answered {head[:60]!r}")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    return int(fields[b"content-length"]), len(body)


def download(port: int, path: str, times: int) -> int:
    """Ask for *path* again and again over one connection; return the bytes of the bodies."""
    total = 0
    with connect(port) as sock:
        for _ in range(times):
            sock.sendall(request(path))
            size, got = read_head(sock)
            while got < size:
                # The kernel drops the bytes: copying them would be the client's cost alone.
                taken = len_of(sock, min(BLOCK, size - got))
                if not taken:
                    raise BenchError(f"the server closed a connection at {got} of {size} bytes")
                got += taken
            total += size
    return total


def len_of(sock: socket.socket, most: int) -> int:
    """Take up to *most* bytes without looking at them (tcp(7), MSG_TRUNC)."""
    return sock.recv_into(_SINK, most, socket.MSG_TRUNC)


_SINK = bytearray(BLOCK)


def ask_many(port: int, paths: Sequence[str], connections: int, seconds: float) -> int:
    """Ask for *paths* in turn, one request at a time on each of *connections*; return how many were answered."""
    socks = [connect(port) for _ in range(connections)]
    turns = [number * len(paths) // connections for number in range(connections)]
    requests = [request(path) for path in paths]
    size = {}
    done = 0
    end = time.monotonic() + seconds
    with selectors.DefaultSelector() as waiting:
        for number, sock in enumerate(socks):
            waiting.register(sock, selectors.EVENT_READ, number)
            sock.sendall(requests[turns[number]])
        left = dict.fromkeys(range(connections), 0)
        while time.monotonic() < end:
            for key, _ in waiting.select(1.0):
                number = key.data
                data = socks[number].recv(1 << 17)
                if not data:
                    raise BenchError("the server closed a connection that it should keep")
                if left[number] == 0:
                    head = data.find(b"\r\n\r\n") + 4
                    if head < 4 or not data.startswith(b"HTTP/1.1 200"):
                        raise BenchError(f"the server answered {data[:60]!r}")
                    path = turns[number]
                    if path not in size:
                        at = data.lower().index(b"content-length:") + 15
                        size[path] = int(data[at : data.index(b"\r\n", at)])
                    left[number] = size[path] - len(data) + head
                else:
                    left[number] -= len(data)
                if left[number] == 0:
                    done += 1
                    turns[number] = (turns[number] + 1) % len(paths)
                    socks[number].sendall(requests[turns[number]])
    for sock in socks:
        sock.close()
    return done


def download_slowly(
    port: int, path: str, count: int, bytes_per_second: float, seconds: float, look: Callable[[float], None]
) -> int:
    """Download with *count* slow clients; call *look* with the seconds so far, twice a second. Return the bytes taken."""
    socks = []
    for _ in range(count):
        sock = connect(port, 64 * 1024)
        sock.sendall(request(path))
        socks.append(sock)
    begin = time.monotonic()
    step = bytes_per_second / 2
    total = 0
    number = 0
    while (now := time.monotonic() - begin) < seconds:
        look(now)
        for sock in socks:
            got = 0
            while got < step:
                taken = len_of(sock, min(BLOCK, int(step - got) + 1))
                if not taken:
                    raise BenchError("the server closed a slow download")
                got += taken
            total += got
        number += 1
        time.sleep(max(begin + number / 2 - time.monotonic(), 0))
    for sock in socks:
        sock.close()
    return total
