"""The hot paths as one would write them first in Python: what the extensions are compared with."""

from __future__ import annotations


class NaiveChunkReader:
    """Chunks of type 0 and 3 on one-byte chunk stream ids, no extended timestamps: the common case only."""

    def __init__(self, chunk_size: int) -> None:
        self.chunk_size = chunk_size
        self.buffer = b""
        self.bodies: dict[int, bytes] = {}
        self.headers: dict[int, tuple[int, int, int]] = {}
        self.messages: list[tuple[int, int, bytes]] = []

    def feed(self, data: bytes) -> None:
        self.buffer += data
        at = 0
        while at < len(self.buffer):
            channel = self.buffer[at] & 63
            start = at + 1
            if self.buffer[at] >> 6 == 0:
                if start + 11 > len(self.buffer):
                    break
                header = self.buffer[start : start + 11]
                start += 11
                self.headers[channel] = (
                    header[6],
                    int.from_bytes(header[:3], "big"),
                    int.from_bytes(header[3:6], "big"),
                )
            kind, time, length = self.headers[channel]
            body = self.bodies.get(channel, b"")
            take = min(self.chunk_size, length - len(body))
            if start + take > len(self.buffer):
                break
            body += self.buffer[start : start + take]
            at = start + take
            if len(body) == length:
                self.messages.append((kind, time, body))
                body = b""
            self.bodies[channel] = body
        self.buffer = self.buffer[at:]


def naive_tag(kind: int, time: int, body: bytes) -> bytes:
    """One FLV tag with its back pointer."""
    header = bytes([kind]) + len(body).to_bytes(3, "big") + (time & 0xFFFFFF).to_bytes(3, "big")
    header += bytes([time >> 24 & 0x7F, 0, 0, 0])
    return header + body + (len(body) + 11).to_bytes(4, "big")
