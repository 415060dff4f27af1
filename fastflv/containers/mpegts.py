"""What the TS and ADTS muxers need of a sequence header, and whole files as MPEG-TS.

Spec: ISO 14496-3, 1.A.2.2 (what ADTS can say); RFC 7845, 5.1.1 (Opus mapping); Opus in MPEG-2 TS (its descriptor).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from fastflv import limits
from fastflv._ext.ts import file as tsfile
from fastflv.errors import CodecConfigError
from fastflv.media.audioconfig import AAC_RATES, parse_asc, parse_opus
from fastflv.media.codecs import VIDEO, codec_name
from fastflv.media.decoderconfig import video_config

if TYPE_CHECKING:
    from typing_extensions import Buffer

ADTS_SAMPLES: Final = 1024
"Samples of an AAC frame in ADTS, which has no way to say another number."

_START_CODE: Final = b"\0\0\0\1"

_OPUS_LAYOUTS: Final = {
    1: b"\1\0\0",
    2: b"\1\1\0\1",
    3: b"\2\1\0\2\1",
    4: b"\2\2\0\1\2\3",
    5: b"\3\2\0\4\1\2\3",
    6: b"\4\2\0\4\1\2\3\5",
    7: b"\4\3\0\4\1\2\3\5\6",
    8: b"\5\3\0\6\1\2\3\4\5\7",
}
"Streams, coupled streams and mapping that a channel_config_code of 1 to 8 stands for (mapping family 1)."


class Setup(NamedTuple):
    """What a muxer needs of a decoder configuration; which fields are used depends on the codec."""

    length_size: int = 0
    "Bytes of the length in front of each NAL unit: 1 to 4."

    sets: bytes = b""
    "Parameter sets, each with a start code, to stand before a keyframe that has none."

    object_type: int = 0
    "AAC object type of the core, 1 to 4."

    rate_index: int = 0
    "Place of the core's rate in the table of ISO 14496-3, 0 to 12."

    channels: int = 0
    "AAC channel configuration, 0 to 7; for Opus the channel_config_code of its descriptor."

    program: bytes = b""
    "AAC of channel configuration 0: the program config element that belongs into each frame."


def describe(kind: int, codec: int, record: bytes) -> Setup | None:
    """Read a sequence header of an audio (8) or video (9) tag; *codec* is the FourCC as a number or the FLV id.

    None for a broken record, and for what TS has no way to say.
    """
    try:
        name = codec_name(kind, codec)
        return _video(name, record) if kind == VIDEO else _audio(name, record)
    except CodecConfigError:
        return None


def mux(flv: Buffer) -> bytes:
    """Return a whole FLV file as MPEG-TS. Raises FlvHeaderError when it is none."""
    return tsfile.mux(flv, describe)


def _video(name: str, record: bytes) -> Setup | None:
    if name not in ("H264", "HEVC"):
        return None
    config = video_config(name, record)
    sets = b"".join(_START_CODE + nalu for nalu in config.parameter_sets)
    if len(sets) > limits.TS_SETS_BYTES_MAX:
        return None
    return Setup(length_size=config.length_size, sets=sets)


def _audio(name: str, record: bytes) -> Setup | None:
    if name == "AAC":
        config = parse_asc(record)
        if not (
            config.object_type <= 4
            and config.sample_rate in AAC_RATES
            and config.samples == ADTS_SAMPLES
            and (config.program if config.channel_config == 0 else config.channel_config <= 7)
        ):
            return None
        return Setup(
            object_type=config.object_type,
            rate_index=AAC_RATES.index(config.sample_rate),
            channels=config.channel_config,
            program=config.program,
        )
    if name == "Opus":
        channels = parse_opus(record).channels
        family = record[18] if record else 0
        layout = record[19 : 21 + channels]
        if (family == 0 and channels <= 2) or (family == 1 and layout == _OPUS_LAYOUTS.get(channels)):
            return Setup(channels=channels)
        return None
    return Setup() if name in ("MP3", "AC3", "EAC3") else None
