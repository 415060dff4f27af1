"""What the API says of a stream's tracks, with SRS's names."""

from __future__ import annotations

from typing import Final

from fastflv.errors import CodecConfigError
from fastflv.media.codecs import AUDIO, FOUR_CC_MIN, VIDEO, codec_name, find_codec
from fastflv.media.decoderconfig import audio_config, video_config

FLV_RATES: Final = (5512, 11025, 22050, 44100)
"Hz by the rate bits of an audio tag (FLV v10.1, E.4.2.1)."

MULTITRACK: Final = {AUDIO: 5, VIDEO: 6}
"Packet type that says that more tracks follow, for audio (8) and video (9) tags (Enhanced RTMP v2)."


def describe_video(codec: int, config: bytes | None, width: int = 0, height: int = 0) -> dict[str, object]:
    """Describe a video track; *codec* is the FourCC as a number, or the FLV codec id.

    *config* is the body of its sequence header tag; *width* and *height* are used where it says none.
    """
    name = codec_name(VIDEO, codec)
    try:
        found = video_config(name, _record(VIDEO, config)) if config else None
    except CodecConfigError:
        found = None
    return {
        "codec": name or "Unknown",
        "profile": found.profile if found else "",
        "level": found.level if found else "",
        "width": found.width if found and found.width else width,
        "height": found.height if found and found.height else height,
    }


def describe_audio(codec: int, config: bytes | None, head: int = 0) -> dict[str, object]:
    """Describe an audio track; as `describe_video`. *head* is the first byte of a tag: rate and channels of
    codecs without a sequence header."""
    known = find_codec(AUDIO, codec)
    name = known.name if known is not None else ""
    try:
        # Opus needs no header: without one it is stereo (Enhanced RTMP).
        record = _record(AUDIO, config) if config else b""
        found = audio_config(name, record) if config or name == "Opus" else None
    except CodecConfigError:
        found = None
    rate = (known.sample_rate if known is not None else 0) or FLV_RATES[head >> 2 & 3]
    return {
        "codec": name or "Unknown",
        "sample_rate": found.sample_rate if found else rate if codec < FOUR_CC_MIN else 0,
        "channel": found.channels if found else (head & 1) + 1 if codec < FOUR_CC_MIN else 0,
        "profile": found.profile if found else "",
    }


def _record(kind: int, body: bytes) -> bytes:
    """Cut the configuration record out of a sequence header tag; what cannot be cut is left to the parser."""
    enhanced = body[0] & 0x80 if kind == VIDEO else body[0] >> 4 == 9
    if not enhanced:
        return body[5:] if kind == VIDEO else body[2:]
    return body[5:] if body[0] & 15 != MULTITRACK[kind] else b""
