"""Metadata of an FLV variant (FLV v10.1, E.5)."""

from __future__ import annotations

from fastflv.containers.variant import HevcLabel, Variant
from fastflv.errors import AmfError
from fastflv.media.amf import amf0
from fastflv.media.amf.values import Value

CODEC_ID = "videocodecid"
LEGACY_ID = 12.0
ENHANCED_ID = float(int.from_bytes(b"hvc1", "big"))
"Enhanced RTMP v2: onMetaData holds a FourCC as a number."

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
"Fields of onMetaData about each kind of track."


def edit_metadata(body: bytes, variant: Variant) -> bytes:
    """Return an onMetaData body without the tracks that *variant* leaves out, and with its label for HEVC.

    Players wait for a track that the metadata names. Other script data is returned unchanged.
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


def script_fields(body: bytes) -> dict[str, Value] | None:
    """Return the fields of script data, those of onMetaData for example; None where it has none, or cannot be read."""
    try:
        return read_fields(body)
    except AmfError:
        return None


def read_fields(body: bytes) -> dict[str, Value] | None:
    """As `script_fields`; raises AmfError for what cannot be read."""
    return next((value for value in amf0.decode_all(body)[1:] if isinstance(value, dict)), None)


def script_name(body: bytes) -> str:
    """Return the name that script data begins with (FLV v10.1, E.4.4.1); empty where it begins with none."""
    try:
        name, _ = amf0.decode(body)
    except AmfError:
        return ""
    return name if isinstance(name, str) else ""
