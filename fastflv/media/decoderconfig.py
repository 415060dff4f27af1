"""Sequence headers of any codec: from the record in a message to what the API and the muxers need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastflv import limits
from fastflv.errors import CodecConfigError
from fastflv.media.audioconfig import AudioConfig, parse_asc, parse_flac, parse_opus
from fastflv.media.h264 import parse_avcc
from fastflv.media.hevc import parse_hvcc
from fastflv.media.openvideo import parse_av1c, parse_vpcc
from fastflv.media.videoconfig import VideoConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

_VIDEO: Final[dict[str, Callable[[bytes], VideoConfig]]] = {
    "H264": parse_avcc,
    "HEVC": parse_hvcc,
    "AV1": parse_av1c,
    "VP9": parse_vpcc,
    "VP8": lambda record: parse_vpcc(record, "VP8"),
}

_AUDIO: Final[dict[str, Callable[[bytes], AudioConfig]]] = {
    "AAC": parse_asc,
    "Opus": parse_opus,
    "FLAC": parse_flac,
}


def video_config(codec: str, record: Buffer) -> VideoConfig:
    """Read the configuration record of *codec* (a name of `media.codecs.CODECS`).

    A codec without a parser gives its name alone. Raises CodecConfigError for a record that is cut,
    contradicts itself, is not of that codec or over HEADERS_BYTES_MAX.
    """
    parse = _VIDEO.get(codec)
    return parse(_bounded(record)) if parse else VideoConfig(codec, "", "")


def audio_config(codec: str, record: Buffer) -> AudioConfig:
    """Read the configuration record of *codec* (a name of `media.codecs.CODECS`); as `video_config`."""
    parse = _AUDIO.get(codec)
    return parse(_bounded(record)) if parse else AudioConfig(codec, 0, 0)


def _bounded(record: Buffer) -> bytes:
    size = memoryview(record).nbytes
    if size > limits.HEADERS_BYTES_MAX:
        raise CodecConfigError(f"a record of {size} bytes; {limits.HEADERS_BYTES_MAX} are read")
    return bytes(record)
