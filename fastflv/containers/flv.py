"""FLV as a container: its header, and metadata that tells the codec by another name."""

from __future__ import annotations

from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.mux.flvmux import FlvMux
from fastflv.containers.variant import HevcLabel, Variant
from fastflv.errors import AmfError
from fastflv.media.amf import amf0

CODEC_ID = "videocodecid"
LEGACY_ID = 12.0
ENHANCED_ID = float(int.from_bytes(b"hvc1", "big"))
"Enhanced RTMP: onMetaData tells a FourCC as a number."

AUDIO_FIELDS = (
    "audiocodecid",
    "audiodatarate",
    "audiosamplerate",
    "audiosamplesize",
    "stereo",
    "audiochannels",
    "audioTrackIdInfoMap",
)
VIDEO_FIELDS = ("videocodecid", "videodatarate", "framerate", "width", "height", "videoTrackIdInfoMap")
"What onMetaData says of each kind of track."


def flv_header(*, audio: bool, video: bool) -> bytes:
    """Return the 9 bytes of an FLV header and the back pointer 0 (FLV v10.1, E.2, E.3)."""
    return b"FLV\x01" + bytes([4 * audio + video]) + b"\x00\x00\x00\x09\x00\x00\x00\x00"


def edit_metadata(body: bytes, variant: Variant) -> bytes:
    """Return an onMetaData body that names no track which *variant* leaves out, and HEVC by its label.

    Players wait for a track that is promised. Any other script data is returned as it is.
    """
    try:
        values = amf0.decode_all(body)
    except AmfError:
        return body
    fields = next((value for value in values if isinstance(value, dict)), None)
    if fields is None or values[0] != "onMetaData":
        return body
    for there, flag, names in (
        (variant.audio, "hasAudio", AUDIO_FIELDS),
        (variant.video, "hasVideo", VIDEO_FIELDS),
    ):
        if not there:
            fields[flag] = False
            for key in names:
                fields.pop(key, None)
    wanted, other = (LEGACY_ID, ENHANCED_ID) if variant.hevc is HevcLabel.LEGACY else (ENHANCED_ID, LEGACY_ID)
    if variant.hevc and fields.get(CODEC_ID) == other:
        fields[CODEC_ID] = wanted
    return amf0.encode(*values)


def flv_mux(source: MediaLog, log: MediaLog, variant: Variant) -> FlvMux:
    """Return what writes the FLV tags of *variant*."""
    return FlvMux(
        source,
        log,
        audio=variant.audio,
        video=variant.video,
        keys_only=variant.keys_only,
        label=variant.hevc.value,
        edit=lambda body: edit_metadata(body, variant),
    )
