"""Audio decoder configurations: AAC, Opus and FLAC.

Spec: ISO 14496-3, 1.6.2.1 (AudioSpecificConfig); RFC 7845, 5.1 (Opus head); RFC 9639, 8.2 (STREAMINFO).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastflv.errors import CodecConfigError
from fastflv.media.bits import BitReader
from fastflv.media.programconfig import ProgramConfig, read_program_config

AAC_RATES: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
AAC_PROFILES: Final = {
    1: "Main",
    2: "LC",
    3: "SSR",
    4: "LTP",
    5: "HE",
    29: "HEv2",
    23: "LD",
    39: "ELD",
    42: "xHE",
}

_CHANNELS: Final = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 13: 24, 14: 8}
_SBR, _PS, _ESCAPE = 5, 29, 31
_LD, _ELD = 23, 39
_GENERAL: Final = (1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, _LD)
"Object types with a GASpecificConfig (ISO 14496-3, 4.4.1)."
_STREAMINFO: Final = 34  # bytes, without the four of the block header


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """One audio track, as its sequence header describes it."""

    codec: str
    "Name as SRS prints it: `AAC`, `Opus`, `FLAC`, ..."

    sample_rate: int
    "Hz. For HE-AAC that of the core, as in an ADTS header; see `output_rate`."

    channels: int
    "0 when the stream itself says (AAC channel configuration 0)."

    profile: str = ""
    "Profile as SRS prints it: `LC`, `HE`, ...; empty for codecs without."

    object_type: int = 0
    "AAC object type of the core, 1 to 95 (2 is LC); 0 for other codecs."

    output_rate: int = 0
    "Hz after spectral band replication, when announced; else as `sample_rate`."

    channel_config: int = 0
    "AAC channel configuration for ADTS, 0 to 7."

    program: bytes = b""
    "AAC of channel configuration 0: the program config element as it stands at the begin of a frame."

    samples: int = 1024
    "Samples of an AAC frame."


def parse_asc(record: bytes) -> AudioConfig:
    """Read an AudioSpecificConfig. Raises CodecConfigError when it ends early or has a reserved rate."""
    bits = BitReader(record)
    kind = _object_type(bits)
    rate = output = _rate(bits)
    channels = bits.bits(4)
    profile = kind
    if kind in (_SBR, _PS):
        output = _rate(bits)
        kind = _object_type(bits)
    if channels not in _CHANNELS:
        raise CodecConfigError(f"channel configuration {channels}")
    if kind == 0:
        raise CodecConfigError("AAC object type 0", offset=0)
    samples, program = _specific(bits, kind, channels)
    if profile == 2:
        profile, output = _announced(bits, rate)
    return AudioConfig(
        codec="AAC",
        sample_rate=rate,
        channels=program.channels if program else _CHANNELS[channels],
        profile=AAC_PROFILES.get(profile, "Other"),
        object_type=kind,
        output_rate=output,
        channel_config=channels,
        program=program.in_frame if program else b"",
        samples=samples,
    )


def _specific(bits: BitReader, kind: int, channels: int) -> tuple[int, ProgramConfig | None]:
    """Samples of a frame, and the program config element of channel configuration 0; a record may end before either."""
    samples, short = (512, 480) if kind in (_LD, _ELD) else (1024, 960)
    program = None
    try:
        if kind in _GENERAL or kind == _ELD:
            samples = short if bits.flag() else samples
        if kind in _GENERAL:
            if bits.flag():
                bits.skip(14)  # delay of the core coder
            bits.skip(1)
            program = read_program_config(bits) if channels == 0 else None
    except CodecConfigError:
        pass
    return samples, program


def _announced(bits: BitReader, rate: int) -> tuple[int, int]:
    """Profile and output rate of LC with a backward compatible SBR announcement; a broken one is none."""
    profile, output = 2, rate
    try:
        if bits.bits(11) == 0x2B7 and _object_type(bits) == _SBR and bits.flag():
            profile, output = _SBR, _rate(bits)
            if bits.bits(11) == 0x548 and bits.flag():
                profile = _PS
    except CodecConfigError:
        pass
    return profile, output


def _object_type(bits: BitReader) -> int:
    kind = bits.bits(5)
    return 32 + bits.bits(6) if kind == _ESCAPE else kind


def _rate(bits: BitReader) -> int:
    index = bits.bits(4)
    if index == 15:
        rate = bits.bits(24)
        if not rate:
            raise CodecConfigError("a sample rate of 0")
        return rate
    if index >= len(AAC_RATES):
        raise CodecConfigError(f"sample rate index {index}")
    return AAC_RATES[index]


def parse_opus(record: bytes) -> AudioConfig:
    """Read an Opus identification header. An empty one means stereo (Enhanced RTMP). Raises CodecConfigError."""
    if not record:
        return AudioConfig("Opus", 48000, 2, output_rate=48000)
    if len(record) < 19 or record[:8] != b"OpusHead" or record[8] >> 4:
        raise CodecConfigError("not an Opus head, version 0 or 1", offset=0)
    if not record[9]:
        raise CodecConfigError("Opus without channels", offset=9)
    # Opus always decodes at 48 kHz; the field in the head is only what the encoder was given.
    return AudioConfig("Opus", 48000, record[9], output_rate=48000)


def parse_flac(record: bytes) -> AudioConfig:
    """Read `fLaC` and the STREAMINFO block behind it; FFmpeg writes the 34 bytes of the block alone.

    Raises CodecConfigError when another block stands first or it ends early.
    """
    body = record
    if len(record) != _STREAMINFO:
        body = record[4:] if record[:4] == b"fLaC" else record
        if len(body) < 4 + _STREAMINFO or body[0] & 127 != 0:
            raise CodecConfigError("no STREAMINFO first", offset=0)
        body = body[4:]
    bits = BitReader(body[10:18])
    rate = bits.bits(20)
    channels = bits.bits(3) + 1
    if not rate:
        raise CodecConfigError("a sample rate of 0", offset=len(record) - len(body) + 10)
    return AudioConfig("FLAC", rate, channels, output_rate=rate)
