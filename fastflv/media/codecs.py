"""Names and numbers of codecs in FLV and Enhanced RTMP.

Spec: FLV v10.1, E.4.2.1 and E.4.3.1; Enhanced RTMP v2, "Enhanced Audio" and "Enhanced Video". The
names are those that SRS's HTTP API prints.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class AudioFormat(IntEnum):
    """High four bits of an audio tag. 13 and 15 are unofficial or of devices."""

    PCM_PLATFORM = 0
    ADPCM = 1
    MP3 = 2
    PCM_LE = 3
    NELLYMOSER_16K = 4
    NELLYMOSER_8K = 5
    NELLYMOSER = 6
    G711_A = 7
    G711_MU = 8
    ENHANCED = 9
    AAC = 10
    SPEEX = 11
    OPUS = 13
    MP3_8K = 14
    DEVICE = 15


class VideoCodec(IntEnum):
    """Low four bits of a video tag without the enhanced bit. 12 and 13 are unofficial."""

    H263 = 2
    SCREEN = 3
    VP6 = 4
    VP6_ALPHA = 5
    SCREEN2 = 6
    AVC = 7
    HEVC = 12
    AV1 = 13


class FrameType(IntEnum):
    """Frame type of a video tag."""

    KEY = 1
    INTER = 2
    DISPOSABLE = 3
    GENERATED_KEY = 4
    COMMAND = 5


class PacketType(IntEnum):
    """Enhanced packet types; 3 and 5 exist for video, 4 has a meaning in each."""

    SEQUENCE_START = 0
    CODED_FRAMES = 1
    SEQUENCE_END = 2
    CODED_FRAMES_X = 3
    METADATA = 4
    MPEG2TS_SEQUENCE_START = 5
    MULTITRACK = 6
    MODEX = 7


AUDIO_NAMES: Final = {
    AudioFormat.PCM_PLATFORM: "LinearPCMPlatformEndian",
    AudioFormat.ADPCM: "ADPCM",
    AudioFormat.MP3: "MP3",
    AudioFormat.PCM_LE: "LinearPCMLittleEndian",
    AudioFormat.NELLYMOSER_16K: "Nellymoser16kHzMono",
    AudioFormat.NELLYMOSER_8K: "Nellymoser8kHzMono",
    AudioFormat.NELLYMOSER: "Nellymoser",
    AudioFormat.G711_A: "G711A",
    AudioFormat.G711_MU: "G711MU",
    AudioFormat.AAC: "AAC",
    AudioFormat.SPEEX: "Speex",
    AudioFormat.OPUS: "Opus",
    AudioFormat.MP3_8K: "MP3",
    AudioFormat.DEVICE: "DeviceSpecific",
}

VIDEO_NAMES: Final = {
    VideoCodec.H263: "H263",
    VideoCodec.SCREEN: "Screen",
    VideoCodec.VP6: "VP6",
    VideoCodec.VP6_ALPHA: "VP6A",
    VideoCodec.SCREEN2: "Screen2",
    VideoCodec.AVC: "H264",
    VideoCodec.HEVC: "HEVC",
    VideoCodec.AV1: "AV1",
}

AUDIO_FOUR_CCS: Final = {
    b"mp4a": "AAC",
    b".mp3": "MP3",
    b"Opus": "Opus",
    b"ac-3": "AC3",
    b"ec-3": "EAC3",
    b"fLaC": "FLAC",
}

VIDEO_FOUR_CCS: Final = {
    b"avc1": "H264",
    b"hvc1": "HEVC",
    b"vvc1": "VVC",
    b"av01": "AV1",
    b"vp08": "VP8",
    b"vp09": "VP9",
}

WITH_COMPOSITION: Final = frozenset({b"avc1", b"hvc1", b"vvc1"})
"Codecs whose enhanced CodedFrames carry a composition offset."

SAMPLE_RATES: Final = (5512, 11025, 22050, 44100)
"Rates of the two rate bits of an audio tag, Hz; a hint that AAC and MP3 overrule."


def audio_name(head: bytes) -> str:
    """Name of the codec of an audio message by its first bytes, or empty when it cannot be told."""
    if not head:
        return ""
    sound = head[0] >> 4
    if sound == AudioFormat.ENHANCED:
        return AUDIO_FOUR_CCS.get(head[1:5], "")
    return AUDIO_NAMES.get(AudioFormat(sound), "") if sound != 12 else ""


def video_name(head: bytes) -> str:
    """Name of the codec of a video message by its first bytes, or empty when it cannot be told."""
    if not head:
        return ""
    if head[0] & 0x80:
        return VIDEO_FOUR_CCS.get(head[1:5], "")
    codec = head[0] & 15
    return VIDEO_NAMES[VideoCodec(codec)] if codec in VIDEO_NAMES else ""
