"""Which container carries which codec, and what a viewer is told."""

from __future__ import annotations

import pytest

from fastflv.containers.carriage import CARRIED, carries, refusal
from fastflv.containers.mpegts import describe
from fastflv.media.codecs import CODECS

KNOWN = {codec.name for codec in CODECS}
FOUR_CCS = {codec.four_cc: codec for codec in CODECS if codec.four_cc}


@pytest.mark.parametrize("container", ["flv", "ts", "aac", "mp3", "rtmp", "hls-ts", "hls-fmp4"])
def test_codecs_in_the_table_are_named_as_everywhere(container):
    assert CARRIED[container] - {"*"} <= KNOWN


@pytest.mark.parametrize("codec", sorted(KNOWN | {""}))
def test_flv_and_rtmp_carry_anything(codec):
    assert carries("flv", codec)
    assert carries("rtmp", codec)


def test_ts_carries_what_its_muxer_writes():
    for four, codec in FOUR_CCS.items():
        if not carries("ts", codec.name):
            assert describe(codec.kind, int.from_bytes(four.encode(), "big"), b"") is None
    for four in (".mp3", "ac-3", "ec-3", "Opus"):
        assert describe(8, int.from_bytes(four.encode(), "big"), b"") is not None
        assert carries("ts", FOUR_CCS[four].name)


@pytest.mark.parametrize(
    ("container", "codec", "expected"),
    [
        ("ts", "H264", True),
        ("ts", "HEVC", True),
        ("ts", "AV1", False),
        ("ts", "Opus", True),
        ("ts", "G711A", False),
        ("ts", "", False),
        ("hls-ts", "Opus", False),
        ("hls-fmp4", "AV1", True),
        ("hls-fmp4", "G711MU", False),
        ("aac", "AAC", True),
        ("aac", "MP3", False),
        ("mp3", "MP3", True),
        ("mp3", "H264", False),
    ],
)
def test_the_table(container, codec, expected):
    assert carries(container, codec) is expected


def test_an_unknown_container_is_a_mistake():
    with pytest.raises(KeyError):
        carries("mkv", "H264")


@pytest.mark.parametrize(
    ("container", "tracks", "sentence"),
    [
        (
            "ts",
            {"video": "H264", "audio": "G711A"},
            "`/live/a` has G711A audio, which .ts cannot carry; play .flv or .ts?only=video",
        ),
        (
            "ts",
            {"video": "VP9", "audio": "FLAC"},
            "`/live/a` has VP9 video and FLAC audio, which .ts cannot carry; play .flv",
        ),
        (
            "ts",
            {"video": "AV1", "audio": "AAC"},
            "`/live/a` has AV1 video, which .ts cannot carry; play .flv or .ts?only=audio",
        ),
        ("ts", {"video": "H264", "audio": "AAC"}, ""),
        ("ts", {"audio": "AAC"}, ""),
        ("ts", {}, ""),
        ("flv", {"video": "VP9", "audio": "Speex"}, ""),
        ("aac", {"video": "VP9", "audio": "AAC"}, ""),
        ("aac", {"audio": "MP3"}, "`/live/a` has MP3 audio, which .aac cannot carry; play .flv"),
        ("mp3", {"video": "H264"}, "`/live/a` has no audio, which .mp3 needs; play .flv"),
        (
            "hls-ts",
            {"audio": "Opus"},
            "`/live/a` has Opus audio, which HLS with .ts segments cannot carry; play .flv",
        ),
    ],
)
def test_a_refusal_is_one_sentence(container, tracks, sentence):
    assert refusal("/live/a", container, **tracks) == sentence
