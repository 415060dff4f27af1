"""Sample entries: how a track says what its samples are, codec by codec.

Spec: ISO 14496-12, 8.5.2 and 12.1.3, 12.2.3; ISO 14496-15, 5.4.2 and 8.4.1 (avc1, hvc1); AV1 in ISOBMFF, 2.2; VP codecs
in ISOBMFF; ISO 14496-14, 5.6 (mp4a); ETSI TS 102 366, annex F (ac-3, ec-3); Opus in ISOBMFF, 4.3; FLAC in ISOBMFF.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from fastflv.containers.mp4box import box, descriptor, full_box
from fastflv.errors import CodecConfigError
from fastflv.media.audioconfig import AudioConfig
from fastflv.media.audioframe import AudioFrame, read_ac3, read_eac3, read_mp3
from fastflv.media.av1record import av1_record
from fastflv.media.codecs import AUDIO, VIDEO
from fastflv.media.decoderconfig import audio_config, video_config

VIDEO_TICKS = 90_000
"Ticks a second of video tracks."

AVC_LIKE = {"H264": (b"avc1", b"avcC"), "HEVC": (b"hvc1", b"hvcC"), "AV1": (b"av01", b"av1C")}
VP_LIKE = {"VP8": b"vp08", "VP9": b"vp09"}
BY_FRAME = {"MP3": read_mp3, "AC3": read_ac3, "EAC3": read_eac3}
"Codecs without a sequence header: a frame describes them."

CODECS = {VIDEO: {*AVC_LIKE, *VP_LIKE}, AUDIO: {"AAC", "Opus", "FLAC", *BY_FRAME}}
"What fragmented MP4 can carry here, by kind of tag."


@dataclass(frozen=True, slots=True)
class Mp4Track:
    """One track as an initialisation section describes it."""

    kind: int
    "8 audio, 9 video."

    codec: str
    "Name as SRS prints it."

    timescale: int
    "Ticks a second: of audio the sample rate."

    entry: bytes
    "The sample entry."

    width: int = 0
    height: int = 0
    samples: int = 0
    "Of an audio frame; 0 where each frame says it."

    length_size: int = 0
    "Bytes of the length in front of each NAL unit; 0 for codecs without NAL units."


def video_track(
    codec: str, record: bytes, key: bytes = b"", size: tuple[int, int] = (0, 0)
) -> Mp4Track | None:
    """Describe a video track by its configuration record; None while it says too little.

    *key*: the first keyframe, for AV1 without a record; *size*: pixels where the record does not tell. Raises
    CodecConfigError for a record that is broken, or for a codec that MP4 does not carry.
    """
    if codec in VP_LIKE:
        config = video_config(codec, record)
        body = record[4:] if len(record) >= 12 and record[:4] == b"\1\0\0\0" else record
        return _video(
            VP_LIKE[codec], full_box(b"vpcC", 1, 0, body), codec, config.width, config.height, size, 0
        )
    if codec not in AVC_LIKE:
        raise CodecConfigError(f"{codec or 'an unknown codec'} in MP4")
    if codec == "AV1" and not record:
        if not key:
            return None
        record = av1_record(key)
    config = video_config(codec, record)
    name, inner = AVC_LIKE[codec]
    return _video(name, box(inner, record), codec, config.width, config.height, size, config.length_size)


def _video(
    name: bytes,
    inner: bytes,
    codec: str,
    width: int,
    height: int,
    size: tuple[int, int],
    length_size: int,
) -> Mp4Track:
    width, height = width or size[0], height or size[1]
    entry = box(
        name,
        struct.pack(
            ">6xH16xHHIIIH32xHh", 1, width & 0xFFFF, height & 0xFFFF, 0x480000, 0x480000, 0, 1, 24, -1
        ),
        inner,
    )
    return Mp4Track(VIDEO, codec, VIDEO_TICKS, entry, width, height, length_size=length_size)


def audio_track(codec: str, record: bytes, frame: bytes = b"") -> Mp4Track | None:
    """Describe an audio track by its configuration record, or by a *frame* where it has none; as `video_track`."""
    if codec in BY_FRAME:
        return _track_of_frame(codec, BY_FRAME[codec](frame)) if frame else None
    if codec not in CODECS[AUDIO]:
        raise CodecConfigError(f"{codec or 'an unknown codec'} in MP4")
    config = audio_config(codec, record)
    if codec == "AAC":
        return _audio(b"mp4a", _esds(0x40, record), config, samples=config.samples)
    if codec == "Opus":
        return _audio(b"Opus", box(b"dOps", _opus_fields(record)), config)
    return _audio(b"fLaC", _flac_box(record), config, samples=_flac_block(record))


def _track_of_frame(codec: str, frame: AudioFrame) -> Mp4Track:
    config = AudioConfig(codec, frame.sample_rate, frame.channels)
    if codec == "MP3":
        return _audio(b"mp4a", _esds(frame.record[0], b""), config)
    name = b"ac-3" if codec == "AC3" else b"ec-3"
    return _audio(name, box(b"dac3" if codec == "AC3" else b"dec3", frame.record), config)


def _audio(name: bytes, inner: bytes, config: AudioConfig, samples: int = 0) -> Mp4Track:
    rate = config.sample_rate
    # The field is 16.16: a higher rate does not fit, and its readers ask the codec's own box.
    shown = rate if rate < 65536 else 0
    entry = box(name, struct.pack(">6xH8xHH4xI", 1, config.channels or 2, 16, shown << 16), inner)
    return Mp4Track(AUDIO, config.codec, rate, entry, samples=samples)


def _esds(object_type: int, record: bytes) -> bytes:
    """ISO 14496-1, 7.2.6.5: an elementary stream of audio."""
    specific = descriptor(5, record) if record else b""
    config = descriptor(4, struct.pack(">BB3xII", object_type, 0x15, 0, 0), specific)
    return full_box(b"esds", 0, 0, descriptor(3, b"\0\1\0", config, descriptor(6, b"\2")))


def _opus_fields(record: bytes) -> bytes:
    """The identification header of Ogg in the byte order of MP4; without one it is stereo (Enhanced RTMP v2)."""
    if not record:
        return struct.pack(">BBHIhB", 0, 2, 312, 48000, 0, 0)
    channels, skip, rate, gain, family = struct.unpack_from("<BHIhB", record, 9)
    fields = struct.pack(">BBHIhB", 0, channels, skip, rate, gain, family)
    if family and len(record) < 21 + channels:
        raise CodecConfigError("an Opus channel table that is cut", offset=len(record))
    return fields + (record[19 : 21 + channels] if family else b"")


def _flac_info(record: bytes) -> bytes:
    """The 34 bytes of STREAMINFO; that they are there was seen by `audio_config`."""
    if len(record) == 34:
        return record
    return record[8 if record[:4] == b"fLaC" else 4 :][:34]


def _flac_box(record: bytes) -> bytes:
    return full_box(b"dfLa", 0, 0, b"\x80\0\0\x22", _flac_info(record))


def _flac_block(record: bytes) -> int:
    """Samples of a frame where all have the same number, 0 where they differ."""
    least, most = struct.unpack_from(">HH", _flac_info(record))
    return int(most) if least == most else 0
