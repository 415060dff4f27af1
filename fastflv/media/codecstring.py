"""Codecs as playlists and browsers name them: the `codecs` parameter.

Spec: RFC 6381; ISO 14496-15, annex E (avc1, hvc1); AV1 in ISOBMFF, 5; VP codecs in ISOBMFF, "Codecs Parameter String".
"""

from __future__ import annotations

from typing import Final

from fastflv.errors import CodecConfigError
from fastflv.media.audioconfig import AAC_PROFILES
from fastflv.media.decoderconfig import audio_config

_FIXED: Final = {"MP3": "mp4a.40.34", "AC3": "ac-3", "EAC3": "ec-3", "Opus": "Opus", "FLAC": "fLaC"}
_AAC_TYPES: Final = {name: number for number, name in AAC_PROFILES.items()}


def codec_string(codec: str, record: bytes) -> str:
    """Return the codecs parameter for *codec* (a name) and its configuration record; empty when it cannot be told."""
    try:
        if codec == "H264":
            return f"avc1.{record[1:4].hex()}" if len(record) >= 4 else ""
        if codec == "HEVC":
            return _hevc(record)
        if codec == "AV1":
            return _av1(record)
        if codec in ("VP8", "VP9"):
            return _vp(record, "vp08" if codec == "VP8" else "vp09")
        if codec == "AAC":
            config = audio_config(codec, record)
            return f"mp4a.40.{_AAC_TYPES.get(config.profile, config.object_type)}"
    except CodecConfigError:
        return ""
    return _FIXED.get(codec, "")


def _hevc(record: bytes) -> str:
    """ISO 14496-15, E.3: space and profile, compatibility flags in reverse order, tier and level, constraints."""
    if len(record) < 13:
        return ""
    space = ("", "A", "B", "C")[record[1] >> 6]
    flags = int(f"{int.from_bytes(record[2:6], 'big'):032b}"[::-1], 2)
    tier = "H" if record[1] & 0x20 else "L"
    constraints = record[6:12].rstrip(b"\0")
    parts = [f"hvc1.{space}{record[1] & 31}", f"{flags:X}", f"{tier}{record[12]}"]
    return ".".join(parts + [f"{byte:X}" for byte in constraints])


def _av1(record: bytes) -> str:
    if len(record) < 4:
        return ""
    profile, level = record[1] >> 5, record[1] & 31
    tier = "H" if record[2] & 0x80 else "M"
    depth = 8
    if record[2] & 0x40:
        depth = 12 if profile == 2 and record[2] & 0x20 else 10
    return f"av01.{profile}.{level:02d}{tier}.{depth:02d}"


def _vp(record: bytes, name: str) -> str:
    body = record[4:] if len(record) >= 12 and record[:4] == b"\1\0\0\0" else record
    if len(body) < 3:
        return ""
    # Level 0 says that nobody knows; browsers refuse it, and 1 promises least.
    return f"{name}.{body[0]:02d}.{body[1] or 10:02d}.{body[2] >> 4:02d}"
