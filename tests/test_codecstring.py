"""Codec strings against examples of the specifications, and AV1 records against those of encoders."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv.errors import CodecConfigError
from fastflv.media.av1record import av1_record
from fastflv.media.codecs import AUDIO, VIDEO, codec_name
from fastflv.media.codecstring import codec_string
from fastflv.media.decoderconfig import video_config

av = pytest.importorskip("av")
imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")


def hvcc(second: int, compatibility: str, constraints: str, level: int) -> bytes:
    return (
        bytes([1, second])
        + bytes.fromhex(compatibility)
        + bytes.fromhex(constraints)
        + bytes([level])
        + bytes(10)
    )


@pytest.mark.parametrize(
    ("codec", "record", "expected"),
    [
        ("H264", bytes.fromhex("0142e01fff"), "avc1.42e01f"),
        ("H264", bytes.fromhex("01640028ff"), "avc1.640028"),
        ("HEVC", hvcc(1, "60000000", "b00000000000", 93), "hvc1.1.6.L93.B0"),
        ("HEVC", hvcc(2, "20000000", "b00000000000", 120), "hvc1.2.4.L120.B0"),
        ("HEVC", hvcc(0x41 | 0x20, "60000000", "902000000000", 150), "hvc1.A1.6.H150.90.20"),
        ("AV1", bytes.fromhex("81040c00"), "av01.0.04M.08"),
        ("AV1", bytes.fromhex("814dcc00"), "av01.2.13H.10"),
        ("AV1", bytes.fromhex("814d6c00"), "av01.2.13M.12"),
        ("VP9", bytes.fromhex("000a8201010100 00".replace(" ", "")), "vp09.00.10.08"),
        ("VP9", bytes.fromhex("01000000" + "021fa20101010000"), "vp09.02.31.10"),
        ("AAC", bytes.fromhex("1210"), "mp4a.40.2"),
        ("AAC", bytes.fromhex("2b920800"), "mp4a.40.5"),
        ("AAC", bytes.fromhex("eb098800"), "mp4a.40.29"),
        ("MP3", b"", "mp4a.40.34"),
        ("AC3", b"", "ac-3"),
        ("Opus", b"", "Opus"),
        ("FLAC", b"", "fLaC"),
        ("H264", b"\1", ""),
        ("HEVC", b"", ""),
        ("AV1", b"", ""),
        ("AAC", b"", ""),
        ("Speex", b"", ""),
    ],
    ids=str,
)
def test_codec_strings(codec, record, expected):
    assert codec_string(codec, record) == expected


@pytest.mark.parametrize(
    ("kind", "codec", "name"),
    [
        (VIDEO, 7, "H264"),
        (VIDEO, 12, "HEVC"),
        (VIDEO, int.from_bytes(b"av01", "big"), "AV1"),
        (VIDEO, 0, ""),
        (AUDIO, 10, "AAC"),
        (AUDIO, 2, "MP3"),
        (AUDIO, 7, "G711A"),
        (AUDIO, int.from_bytes(b"fLaC", "big"), "FLAC"),
        (AUDIO, int.from_bytes(b"abcd", "big"), ""),
    ],
)
def test_codecs_have_names(kind, codec, name):
    assert codec_name(kind, codec) == name


@given(st.sampled_from(["H264", "HEVC", "AV1", "VP8", "VP9", "AAC"]), st.binary(max_size=30))
def test_any_record_has_a_string_or_none(codec, record):
    assert codec_string(codec, record).isascii()


# --- AV1 without a record -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoder", "form"),
    [
        ("libsvtav1 -preset 12", "yuv420p"),
        ("libsvtav1 -preset 12", "yuv420p10le"),
        ("libaom-av1 -cpu-used 8 -usage realtime", "yuv420p"),
        ("libaom-av1 -cpu-used 8", "yuv444p"),
        ("libaom-av1 -cpu-used 8", "yuv422p"),
        ("libaom-av1 -cpu-used 8", "gray"),
    ],
)
def test_a_record_is_made_of_the_first_keyframe(encoder, form, tmp_path):
    path = tmp_path / "clip.mp4"
    words = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x180:rate=25",
    ]
    words += ["-frames:v", "3", "-c:v", *encoder.split(), "-pix_fmt", form, str(path)]
    if subprocess.run(words, capture_output=True, timeout=60).returncode:
        pytest.skip(f"this ffmpeg has no {encoder.split()[0]}")
    with av.open(str(path)) as clip:
        told = bytes(clip.streams.video[0].codec_context.extradata)
        packet = bytes(next(clip.demux(video=0)))
    record = av1_record(packet)
    # What SVT-AV1 tells beforehand differs from what it sends, but not in this.
    assert record[:3] == told[:3]
    config = video_config("AV1", record)
    assert (config.width, config.height) == (320, 180)
    assert codec_string("AV1", record).endswith("10" if "10" in form else "08")


@pytest.mark.parametrize("size", [9, 127, 128, 16_383, 16_384, 32_767, 32_768, 60_000])
def test_a_sequence_header_of_any_size_makes_a_record_that_can_be_read(size):
    # Of a still picture, level 3.1; the rest is padding.
    bits = f"00011{5:05b}{8:04b}{7:04b}{319:09b}{179:08b}"
    header = (int(bits, 2) << 5).to_bytes(5, "big").ljust(size, b"\0")
    record = av1_record(b"\x08" + header)
    config = video_config("AV1", record)
    assert (config.width, config.height) == (320, 180)
    assert record.endswith(header)


@given(st.binary(max_size=60))
def test_any_unit_gives_a_record_or_an_error(unit):
    for head in (b"", b"\x12\0\x0a\x0b"):
        try:
            record = av1_record(head + unit)
        except CodecConfigError:
            continue
        assert record[0] == 0x81
