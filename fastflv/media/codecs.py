"""The table of codecs in FLV and Enhanced RTMP: numbers, FourCCs and names.

Spec: FLV v10.1, E.4.2.1 and E.4.3.1; Enhanced RTMP v2, "Enhanced Audio" and "Enhanced Video". The
names are those that SRS's HTTP API prints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AUDIO: Final = 8
VIDEO: Final = 9
SCRIPT: Final = 18
"Tag types."

FOUR_CC_MIN: Final = 16
"Codec numbers from here on are FourCCs; below are FLV codec ids (video) and sound formats (audio)."


@dataclass(frozen=True, slots=True)
class Codec:
    """One codec."""

    kind: int
    "AUDIO or VIDEO."

    name: str
    numbers: tuple[int, ...] = ()
    "FLV codec ids or sound formats; 12 and 13 of video, 13 of audio are unofficial."

    four_cc: str = ""
    "Four characters of Enhanced RTMP; empty where it has none."

    sample_rate: int = 0
    "Hz, for sound formats with one rate whatever the rate bits of the tag say; 0 otherwise."


CODECS: Final = (
    Codec(VIDEO, "H264", (7,), "avc1"),
    Codec(VIDEO, "HEVC", (12,), "hvc1"),
    Codec(VIDEO, "VVC", (), "vvc1"),
    Codec(VIDEO, "AV1", (13,), "av01"),
    Codec(VIDEO, "VP8", (), "vp08"),
    Codec(VIDEO, "VP9", (), "vp09"),
    Codec(VIDEO, "H263", (2,)),
    Codec(VIDEO, "Screen", (3,)),
    Codec(VIDEO, "VP6", (4,)),
    Codec(VIDEO, "VP6A", (5,)),
    Codec(VIDEO, "Screen2", (6,)),
    Codec(AUDIO, "AAC", (10,), "mp4a"),
    Codec(AUDIO, "MP3", (2,), ".mp3"),
    Codec(AUDIO, "MP3", (14,), sample_rate=8000),
    Codec(AUDIO, "Opus", (13,), "Opus"),
    Codec(AUDIO, "AC3", (), "ac-3"),
    Codec(AUDIO, "EAC3", (), "ec-3"),
    Codec(AUDIO, "FLAC", (), "fLaC"),
    Codec(AUDIO, "G711A", (7,), sample_rate=8000),
    Codec(AUDIO, "G711MU", (8,), sample_rate=8000),
    Codec(AUDIO, "Speex", (11,), sample_rate=16000),
    Codec(AUDIO, "LinearPCMPlatformEndian", (0,)),
    Codec(AUDIO, "ADPCM", (1,)),
    Codec(AUDIO, "LinearPCMLittleEndian", (3,)),
    Codec(AUDIO, "Nellymoser16kHzMono", (4,)),
    Codec(AUDIO, "Nellymoser8kHzMono", (5,)),
    Codec(AUDIO, "Nellymoser", (6,)),
    Codec(AUDIO, "DeviceSpecific", (15,)),
)
"Every codec that has a number or a FourCC. What parses, muxes or announces one goes by its name."

_BY_NUMBER: Final = {
    (codec.kind, number): codec
    for codec in CODECS
    for number in (
        *codec.numbers,
        *([int.from_bytes(codec.four_cc.encode(), "big")] if codec.four_cc else []),
    )
}


def find_codec(kind: int, number: int) -> Codec | None:
    """Return the codec of a tag of *kind*; *number* is its FourCC as a number, or its FLV id. None: unknown."""
    return _BY_NUMBER.get((kind, number))


def codec_name(kind: int, number: int) -> str:
    """Return the name of a codec; as `find_codec`, empty for an unknown one."""
    codec = _BY_NUMBER.get((kind, number))
    return codec.name if codec is not None else ""


def four_ccs(kind: int) -> tuple[str, ...]:
    """Return the FourCCs of all codecs of *kind* that Enhanced RTMP names."""
    return tuple(codec.four_cc for codec in CODECS if codec.kind == kind and codec.four_cc)
