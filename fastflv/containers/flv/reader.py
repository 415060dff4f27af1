"""FLV tags from bytes, for tools and muxers in Python; publishers are read by `TagReader` in C.

Spec: FLV v10.1, E.2 to E.4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fastflv import limits
from fastflv.containers.flv.header import BACK_POINTER_BYTES, HEADER_BYTES, TAG_HEADER_BYTES, read_header
from fastflv.errors import FlvHeaderError, TagError, TagSizeError
from fastflv.media.codecs import AUDIO, SCRIPT, VIDEO


class FlvTag(NamedTuple):
    """One tag without its header and back pointer."""

    kind: int
    "8 audio, 9 video, 18 script data."

    time_ms: int
    "Timestamp with its extension byte, ms modulo 2**32."

    body: bytes


def walk_tags(run: bytes | bytearray, at: int = 0) -> Iterator[tuple[FlvTag, int]]:
    """Yield each whole tag of *run* from offset *at* on, and the offset behind its back pointer.

    Raises TagError for an unknown type or an encrypted tag, TagSizeError for a body over MESSAGE_BYTES_MAX. Back
    pointers are not checked, as in `TagReader`.
    """
    while len(run) - at >= TAG_HEADER_BYTES:
        kind = run[at]
        if kind not in (AUDIO, VIDEO, SCRIPT):
            raise TagError(f"tag of type {kind}; 8, 9 and 18 are taken")
        size = int.from_bytes(run[at + 1 : at + 4], "big")
        if size > limits.MESSAGE_BYTES_MAX:
            raise TagSizeError(f"tag of {size} bytes; {limits.MESSAGE_BYTES_MAX} are taken")
        end = at + TAG_HEADER_BYTES + size
        if len(run) < end + BACK_POINTER_BYTES:
            return
        time_ms = int.from_bytes(run[at + 4 : at + 7], "big") | run[at + 7] << 24
        yield FlvTag(kind, time_ms, bytes(run[at + TAG_HEADER_BYTES : end])), end + BACK_POINTER_BYTES
        at = end + BACK_POINTER_BYTES


class FlvReader:
    """Reads FLV in any pieces."""

    def __init__(self) -> None:
        self.flags = -1
        "Tracks that the header announces, 4 for audio plus 1 for video; -1 before the header."
        self.offset = 0
        "Bytes before the first tag that is not whole."
        self._rest = bytearray()

    @property
    def waiting(self) -> int:
        """Bytes of a tag, or of the header, that is not whole."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[FlvTag]:
        """Return the tags that *data* completes.

        Raises FlvHeaderError, TagError or TagSizeError; the reader must not be fed again after that.
        """
        found: list[FlvTag] = []
        self.take(data, found)
        return found

    def take(self, data: bytes, found: list[FlvTag]) -> None:
        """Append the tags that *data* completes to *found*, also those before an error. Raises as `feed`."""
        rest = self._rest
        rest += data
        at = 0
        if self.flags < 0:
            if not b"FLV\x01".startswith(rest[:4]):
                raise FlvHeaderError("no FLV header of version 1", offset=0)
            if len(rest) < HEADER_BYTES:
                return
            flags, at = read_header(rest)
            if at > limits.FLV_HEADER_BYTES_MAX + BACK_POINTER_BYTES:
                raise FlvHeaderError(f"FLV header of {at - BACK_POINTER_BYTES} bytes", offset=5)
            if len(rest) < at:
                return
            self.flags = flags
        try:
            for tag, end in walk_tags(rest, at):
                found.append(tag)
                at = end
        finally:
            del rest[:at]
            self.offset += at
