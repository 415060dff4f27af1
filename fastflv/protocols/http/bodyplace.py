"""Where in its framing a body is that a client sends, so that another reader can go on with it.

The libraries that read chunks and frames check their grammar, and do not say where they are. A place is written as the
shortest input that brings a new reader there.

Spec: RFC 9112, 7.1 (chunks); RFC 6455, 5.2 to 5.4 (frames).
"""

from __future__ import annotations

from typing import Final

CHUNKED_HEAD: Final = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
"Brings a reader of requests to the first byte of a chunked body."

CRLF: Final = 2
"Bytes behind the data of a chunk."

BINARY: Final = b"\x02\x80\0\0\0\0"
"A frame that begins a message of bytes, which other frames continue. It has no payload."


class BodyChunks:
    """The place in a chunked body."""

    __slots__ = ("_left", "_line", "over")

    def __init__(self) -> None:
        self._line = b""
        "What there is of the line that gives a size."
        self._left = 0
        "Of a chunk with the line end behind it, bytes."
        self.over = False
        "The last chunk has begun, or the body is none."

    def take(self, data: bytes, at: int = 0) -> None:
        """Pass the bytes of *data* from *at* on."""
        size = len(data)
        while at < size and not self.over:
            if self._left:
                step = min(self._left, size - at)
                self._left -= step
                at += step
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._line += data[at:]
                return
            line, self._line = self._line + data[at:end], b""
            at = end + 1
            try:
                length = int(line.partition(b";")[0], 16)
            except ValueError:
                length = 0
            self.over = length <= 0
            self._left = length + CRLF

    @property
    def begun(self) -> bytes | None:
        """What a reader of chunks reads first to go on here, and whose data is to be ignored; None: it cannot."""
        if self.over:
            return None
        if self._left > CRLF:
            return b"%x\r\n" % (self._left - CRLF)
        return b"1\r\nx" + b"\r\n"[: CRLF - self._left] if self._left else self._line


class ClientFrames:
    """The place in the frames that a client of a WebSocket sends."""

    __slots__ = ("_head", "_left", "_open", "_size")

    def __init__(self) -> None:
        self._head = bytearray()
        "Of the present frame, what there is of its header."
        self._size = 0
        "Of its payload, bytes; known with the whole header."
        self._left = 0
        self._open = False
        "A message of data goes on in the next frame of data."

    def take(self, data: bytes) -> None:
        """Pass *data*."""
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                if not self._left:
                    self._end()
                continue
            self._head.append(data[at])
            at += 1
            wanted = self._header_bytes()
            if len(self._head) == wanted:
                self._left = self._size = self._payload_bytes()
                if not self._left:
                    self._end()

    @property
    def begun(self) -> bytes | None:
        """What a reader of frames reads first to go on here; None within a control frame, which is short."""
        opened = BINARY if self._open else b""
        head = bytes(self._head)
        if not self._left:
            return opened + head
        if head[0] & 0x08:
            return None
        done, left, mask = self._size - self._left, self._left, head[-4:]
        # The shortest form of the length, as a reader demands.
        length = (
            bytes([0x80 | left])
            if left < 126
            else b"\xfe" + left.to_bytes(2, "big")
            if left < 1 << 16
            else b"\xff" + left.to_bytes(8, "big")
        )
        return opened + head[:1] + length + mask[done % 4 :] + mask[: done % 4]

    def _header_bytes(self) -> int:
        """Size of the header, as far as its first bytes tell."""
        if len(self._head) < 2:
            return 14
        return 2 + {126: 2, 127: 8}.get(self._head[1] & 0x7F, 0) + (4 if self._head[1] & 0x80 else 0)

    def _payload_bytes(self) -> int:
        short = self._head[1] & 0x7F
        return int.from_bytes(self._head[2 : {126: 4, 127: 10}[short]], "big") if short > 125 else short

    def _end(self) -> None:
        """The frame is over."""
        if not self._head[0] & 0x08:
            self._open = not self._head[0] & 0x80
        self._head.clear()
