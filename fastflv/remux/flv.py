"""FLV as a container: its header, and metadata that tells the codec by another name."""

from __future__ import annotations

from fastflv._ext.flvmux import FlvMux
from fastflv._ext.medialog import MediaLog
from fastflv.errors import AmfError
from fastflv.media import amf0
from fastflv.remux.variant import HevcLabel, Variant

CODEC_ID = "videocodecid"
LEGACY_ID = 12.0
ENHANCED_ID = float(int.from_bytes(b"hvc1", "big"))
"Enhanced RTMP: onMetaData tells a FourCC as a number."


def flv_header(*, audio: bool, video: bool) -> bytes:
    """Return the 9 bytes of an FLV header and the back pointer 0 (FLV v10.1, E.2, E.3)."""
    return b"FLV\x01" + bytes([4 * audio + video]) + b"\x00\x00\x00\x09\x00\x00\x00\x00"


def relabel_metadata(body: bytes, hevc: HevcLabel) -> bytes:
    """Return an onMetaData body whose `videocodecid` is HEVC under the label *hevc*; any other body as it is."""
    wanted, other = (LEGACY_ID, ENHANCED_ID) if hevc is HevcLabel.LEGACY else (ENHANCED_ID, LEGACY_ID)
    try:
        values = amf0.decode_all(body)
    except AmfError:
        return body
    for value in values:
        if isinstance(value, dict) and value.get(CODEC_ID) == other:
            value[CODEC_ID] = wanted
            return amf0.encode(*values)
    return body


def flv_mux(source: MediaLog, log: MediaLog, variant: Variant) -> FlvMux:
    """Return what writes the FLV tags of *variant*."""
    hevc = variant.hevc
    return FlvMux(
        source,
        log,
        audio=variant.audio,
        video=variant.video,
        keys_only=variant.keys_only,
        label=hevc.value,
        relabel=(lambda body: relabel_metadata(body, hevc)) if hevc else None,
    )
