"""Decoder configurations that real encoders write, as they are and with changed bytes."""

from __future__ import annotations

import subprocess
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.flv import CONFIG

from fastflv._ext.syntax.flvtag import traits
from fastflv.errors import CodecConfigError
from fastflv.media import codecs
from fastflv.media.decoderconfig import audio_config, video_config


@cache
def ffmpeg() -> str:
    module = pytest.importorskip("imageio_ffmpeg")
    return module.get_ffmpeg_exe()


@cache
def sequence_header(*options: str) -> tuple[str, bytes]:
    """Codec name and record of the first sequence header that ffmpeg writes into an FLV file."""
    call = [ffmpeg(), "-v", "error", "-nostdin", *options, "-f", "flv", "pipe:1"]
    flv = subprocess.run(call, capture_output=True, timeout=60, check=True).stdout
    at = 13
    while at < len(flv):
        kind, size = flv[at], int.from_bytes(flv[at + 1 : at + 4], "big")
        body = flv[at + 11 : at + 11 + size]
        at += 15 + size
        flags, number, _ = traits(kind, body)
        if kind in (codecs.AUDIO, codecs.VIDEO) and flags & CONFIG:
            plain_aac = kind == codecs.AUDIO and number < codecs.FOUR_CC_MIN
            return codecs.codec_name(kind, number), body[2 if plain_aac else 5 :]
    raise AssertionError("no sequence header")


def video(size: str, fps: str, *options: str):
    source = f"testsrc=size={size}:rate={fps}"
    name, record = sequence_header("-f", "lavfi", "-i", source, "-frames:v", "2", *options)
    return video_config(name, record), record


def sound(rate: int, *options: str):
    source = f"anullsrc=sample_rate={rate}:channel_layout=stereo"
    name, record = sequence_header("-f", "lavfi", "-i", source, "-t", "0.3", *options)
    return audio_config(name, record)


X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt")
AVC = {
    "Main": (
        "640x360",
        "25",
        ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-profile:v", "main"),
        "Main",
        "3",
        25.0,
    ),
    "High": ("640x360", "30", ("-c:v", "libx264", "-pix_fmt", "yuv420p"), "High", "3", 30.0),
    "Baseline": ("320x240", "15", (*X264, "yuv420p", "-profile:v", "baseline"), "Baseline", "1.2", 15.0),
    "cropped": ("426x242", "30000/1001", (*X264, "yuv420p"), "Baseline", "2.1", 29.97),
    "1080p60": (
        "1920x1080",
        "60",
        ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-profile:v", "main"),
        "Main",
        "4.2",
        60.0,
    ),
    "interlaced": (
        "720x572",
        "25",
        ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-flags", "+ildct+ilme"),
        "High",
        "3",
        25.0,
    ),
    "4:2:2": ("322x182", "25", (*X264, "yuv422p"), "High(422)", "1.3", 25.0),
    "4:4:4 odd": ("321x181", "25", (*X264, "yuv444p"), "High(444+Predictive)", "1.3", 25.0),
    "10 bit": ("320x180", "25", (*X264, "yuv420p10le"), "High(10)", "1.2", 25.0),
    "monochrome odd": ("321x181", "25", (*X264, "gray"), "High", "1.3", 25.0),
    "scaling lists": (
        "320x180",
        "25",
        ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-x264-params", "cqm=jvt"),
        "High",
        "1.2",
        25.0,
    ),
    "one pixel ratio": ("320x180", "25", (*X264, "yuv420p", "-vf", "setsar=45/44"), "Baseline", "1.2", 25.0),
    "colours": (
        *("320x180", "25"),
        (
            *X264,
            "yuv420p",
            "-x264-params",
            "colorprim=bt709:transfer=bt709:colormatrix=bt709:overscan=show:chromaloc=2",
        ),
        *("Baseline", "1.2", 25.0),
    ),
}


@pytest.mark.parametrize(("size", "fps", "options", "profile", "level", "frames"), AVC.values(), ids=AVC)
def test_x264_writes_what_was_asked_for(size, fps, options, profile, level, frames):
    found, _ = video(size, fps, *options)
    assert found.codec == "H264"
    assert f"{found.width}x{found.height}" == size
    assert (found.profile, found.length_size) == (profile, 4)
    assert found.fps == pytest.approx(frames, abs=0.01)
    assert [nalu[0] & 31 for nalu in found.parameter_sets] == [7, 8]
    assert found.level == level, found


X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt")
HEVC = {
    "Main": ("640x360", "25", (*X265, "yuv420p"), "Main", "2.1", 25.0),
    "cropped": ("426x242", "30000/1001", (*X265, "yuv420p"), "Main", "2", 29.97),
    "medium": (
        "320x180",
        "50",
        ("-c:v", "libx265", "-pix_fmt", "yuv420p", "-x265-params", "bframes=4"),
        "Main",
        "2",
        50.0,
    ),
    "10 bit": ("320x180", "25", (*X265, "yuv420p10le"), "Main10", "2", 25.0),
    "4:2:2": ("322x182", "25", (*X265, "yuv422p"), "Rext", "2", 25.0),
    "4:4:4": ("320x180", "25", (*X265, "yuv444p"), "Rext", "2", 25.0),
    "scaling lists": (
        "320x180",
        "25",
        (*X265, "yuv420p", "-x265-params", "scaling-list=default"),
        "Main",
        "2",
        25.0,
    ),
    "temporal layers": (
        "320x180",
        "25",
        ("-c:v", "libx265", "-x265-params", "temporal-layers=2", "-pix_fmt", "yuv420p"),
        "Main",
        "2",
        25.0,
    ),
}


@pytest.mark.parametrize(("size", "fps", "options", "profile", "level", "frames"), HEVC.values(), ids=HEVC)
def test_x265_writes_what_was_asked_for(size, fps, options, profile, level, frames):
    found, _ = video(size, fps, *options)
    assert found.codec == "HEVC"
    assert f"{found.width}x{found.height}" == size
    assert (found.profile, found.length_size) == (profile, 4)
    assert found.fps == pytest.approx(frames, abs=0.01)
    assert [nalu[0] >> 1 & 63 for nalu in found.parameter_sets] == [32, 33, 34]
    assert found.level == level, found


def test_svt_av1_writes_what_was_asked_for():
    found, _ = video("322x182", "25", "-c:v", "libsvtav1", "-preset", "12", "-pix_fmt", "yuv420p")
    assert (found.codec, found.profile, found.width, found.height) == ("AV1", "Main", 322, 182)
    assert found.level
    assert found.length_size == 0


def test_the_sequence_header_of_libaom_is_read():
    found = video_config("AV1", b"\x81\0\x0c\0" + bytes.fromhex("12000a0b000000043d06d4daf90040"))
    assert (found.width, found.height) == (322, 182)


def test_ffmpeg_sends_an_empty_av1_record_before_libaom_knows_it():
    found = video_config("AV1", b"")
    assert (found.codec, found.profile, found.width) == ("AV1", "", 0)


def test_vp9_names_its_profile():
    found, _ = video("320x180", "25", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-pix_fmt", "yuv420p")
    assert (found.codec, found.profile) == ("VP9", "0")


def test_ffmpeg_aac_is_lc():
    for hz in (48000, 44100, 22050):
        found = sound(hz, "-c:a", "aac")
        assert (found.codec, found.profile, found.sample_rate, found.channels) == ("AAC", "LC", hz, 2)
        assert (found.object_type, found.channel_config, found.output_rate) == (2, 2, hz)


def test_ffmpeg_opus_and_flac_are_read():
    found = sound(48000, "-c:a", "libopus")
    assert (found.codec, found.sample_rate, found.channels) == ("Opus", 48000, 2)
    found = sound(44100, "-c:a", "flac")
    assert (found.codec, found.sample_rate, found.channels) == ("FLAC", 44100, 2)


@pytest.mark.parametrize("codec", ["H264", "HEVC"])
@given(data=st.data())
def test_a_real_record_with_changed_bytes_gives_a_config_or_an_error(codec, data):
    options = AVC["High"][2] if codec == "H264" else HEVC["Main"][2]
    size, fps = ("640x360", "30") if codec == "H264" else ("640x360", "25")
    record = bytearray(video(size, fps, *options)[1])
    for _ in range(data.draw(st.integers(1, 4))):
        record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(record)))
    for wire in (record, record[:cut]):
        try:
            video_config(codec, wire)
        except CodecConfigError:
            continue
