"""The head of an FLV file: header and metadata in a room of fixed size, so that duration and index fit in later.

Spec: FLV v10.1, E.2 to E.5. The index is `keyframes { times, filepositions }`, which players and servers agree on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastflv.containers.flv.header import BACK_POINTER_BYTES, HEADER_BYTES, TAG_HEADER_BYTES, flv_header
from fastflv.containers.flv.keyindex import KeyIndex
from fastflv.media.amf import amf0
from fastflv.media.amf.values import EcmaArray, Value
from fastflv.media.codecs import SCRIPT

KEY_BYTES: Final = 18
"A keyframe in the index: two numbers of AMF 0."

FRAME_BYTES: Final = HEADER_BYTES + BACK_POINTER_BYTES + TAG_HEADER_BYTES + BACK_POINTER_BYTES
"A head without the body of its metadata."

OF_FILE: Final = ("duration", "filesize", "keyframes", "hasKeyframes", "lasttimestamp")
"Fields that a file has and a live stream has not."


def room_for(metadata: Mapping[str, Value], keys: int) -> int:
    """Return the bytes of a metadata body of *metadata* and an index of *keys* keyframes."""
    return len(_body(metadata, 0, 0, KeyIndex(0))) + KEY_BYTES * keys


def file_head(
    metadata: Mapping[str, Value],
    *,
    audio: bool,
    video: bool,
    duration_ms: int = 0,
    size: int = 0,
    keys: KeyIndex | None = None,
    room: int,
) -> bytes:
    """Return header and metadata tag; the body of the tag has *room* bytes, whatever is in it.

    Where *metadata* and all of *keys* are larger, the index lists fewer keyframes; raises ValueError where *metadata*
    alone is. *size*: of the whole file, bytes.
    """
    keys = keys or KeyIndex(0)
    while True:
        body = _body(metadata, duration_ms, size, keys)
        if len(body) <= room:
            break
        if len(keys) == 0:
            raise ValueError(f"metadata of {len(body)} bytes in {room}")
        if len(keys) == 1:
            keys = KeyIndex(0)
        else:
            keys.thin()
    body += _filler(room - len(body))
    tag = bytes([SCRIPT]) + room.to_bytes(3, "big") + bytes(7) + body
    return flv_header(audio=audio, video=video) + tag + len(tag).to_bytes(BACK_POINTER_BYTES, "big")


def _body(metadata: Mapping[str, Value], duration_ms: int, size: int, keys: KeyIndex) -> bytes:
    fields = EcmaArray({name: value for name, value in metadata.items() if name not in OF_FILE})
    fields["duration"] = duration_ms / 1000
    fields["filesize"] = float(size)
    fields["hasKeyframes"] = len(keys) > 0
    fields["keyframes"] = {
        "times": [each / 1000 for each in keys.times_ms],
        "filepositions": [float(each) for each in keys.positions],
    }
    return amf0.encode("onMetaData", fields)


def _filler(size: int) -> bytes:
    """Return further values of AMF 0 that say nothing: a long text of spaces, or nulls where it does not fit."""
    if size < 5:
        return bytes([amf0.NULL]) * size
    return bytes([amf0.LONG_STRING]) + (size - 5).to_bytes(4, "big") + b" " * (size - 5)
