"""The header of an FLV file (FLV v10.1, E.2)."""

from __future__ import annotations

from typing import Final

from fastflv.errors import FlvHeaderError

SIGNATURE: Final = b"FLV\x01"
HEADER_BYTES: Final = 9
TAG_HEADER_BYTES: Final = 11
BACK_POINTER_BYTES: Final = 4
HAS_AUDIO, HAS_VIDEO = 4, 1


def flv_header(*, audio: bool, video: bool) -> bytes:
    """Return the 9 bytes of an FLV header and the back pointer 0 (FLV v10.1, E.2, E.3)."""
    flags = HAS_AUDIO * audio + HAS_VIDEO * video
    return SIGNATURE + bytes([flags]) + HEADER_BYTES.to_bytes(4, "big") + bytes(BACK_POINTER_BYTES)


def body_of(tag: bytes) -> bytes:
    """Return the body of a whole tag."""
    return tag[TAG_HEADER_BYTES:-BACK_POINTER_BYTES]


def read_header(data: bytes | bytearray) -> tuple[int, int]:
    """Return the track flags of a header of HEADER_BYTES and the offset of the first tag.

    Raises FlvHeaderError for anything but an FLV header of version 1.
    """
    offset = int.from_bytes(data[5:9], "big")
    if data[:4] != SIGNATURE or offset < HEADER_BYTES:
        raise FlvHeaderError("no FLV header of version 1", offset=0)
    return data[4] & (HAS_AUDIO | HAS_VIDEO), offset + BACK_POINTER_BYTES
