"""Codec headers: any record gives a configuration in its bounds or a CodecConfigError, whoever reads it.

The first byte of an input chooses the codec.
"""

from __future__ import annotations

from fastflv.containers.mpegts import describe
from fastflv.errors import CodecConfigError
from fastflv.media.av1record import av1_record
from fastflv.media.codecs import AUDIO, VIDEO
from fastflv.media.codecstring import codec_string
from fastflv.media.decoderconfig import audio_config, video_config
from fastflv.media.trackinfo import describe_audio, describe_video

VIDEOS = ("H264", "HEVC", "AV1", "VP9", "VP8")
AUDIOS = ("AAC", "Opus", "FLAC")
CODECS = VIDEOS + AUDIOS
NUMBERS = {"H264": 7, "HEVC": 12, "AAC": 10} | {
    name: int.from_bytes(code, "big")
    for name, code in (
        ("AV1", b"av01"),
        ("VP9", b"vp09"),
        ("VP8", b"vp08"),
        ("Opus", b"Opus"),
        ("FLAC", b"fLaC"),
    )
}
AVC = bytes.fromhex("014d400dffe10019674d400deca0a0cfcf80880000030008000003019078a14cb001000468ce3c80")
HEVC = bytes.fromhex(
    "0101600000009000000000003cf000fcfdf8f800000f03200001001840010c01ffff01600000030090000003000003003c959409210001002b"
    "42010101600000030090000003000003003ca00a080c1f3e595952930bc05a02000003000200000300321022000100064401c073c189"
)
SEEDS = (
    b"\0" + AVC,
    b"\1" + HEVC,
    b"\2\x81\x04\x0c\0\x0a\x0b\0\0\0\4\x3c\xff\xbc\xff\xe8\4\x20",
    b"\3\1\0\0\0\0\x1f\x80\2\2\2\0\0",
    b"\5\x12\x10",
    b"\5\x2b\x92\x08\0",
    b"\5\x13\x90\x56\xe5\xa5\x48\0",
    b"\6OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0",
    b"\7fLaC\0\0\0\x22\x10\0\x10\0\0\0\0\0\0\0\x0a\xc4\x42\xf0" + bytes(20),
)
WORDS = (
    b"\1\x64\0\x1f\xff\xe1",
    b"\x67\x64\0\x1f",
    b"\x42\1\1",
    b"\0\0\3",
    b"\x81",
    b"\x0a",
    b"\xff\xff",
    b"\0\x19",
    b"OpusHead",
    b"fLaC",
)


def check(data: bytes) -> None:
    name = CODECS[data[0] % len(CODECS)] if data else "H264"
    record = data[1:]
    kind, number = VIDEO if name in VIDEOS else AUDIO, NUMBERS[name]
    try:
        if kind == VIDEO:
            video = video_config(name, record)
            assert 0 <= video.width <= 65536 and 0 <= video.height <= 65536
            assert video.length_size in (0, 1, 2, 3, 4) and 0 <= video.fps <= 1000
            assert all(len(unit) <= len(record) for unit in video.parameter_sets)
        else:
            audio = audio_config(name, record)
            assert audio.sample_rate > 0 and 0 <= audio.channels <= 255 and audio.output_rate >= 0
    except CodecConfigError as error:
        assert error.offset <= len(record)
    describe(kind, number, record)
    text = codec_string(name, record)
    assert text.isascii() and '"' not in text
    for body in (record, b"\x90" + record, b"\x17\0\0\0\0" + record):
        describe_video(number, body)
        describe_audio(number, body, body[0] if body else 0)
    if name == "AV1":
        try:
            assert video_config("AV1", av1_record(record)).codec == "AV1"
        except CodecConfigError:
            return
