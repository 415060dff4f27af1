"""Which container carries which codec, and what a viewer is told."""

from __future__ import annotations

import pytest
from model.remuxed import ASC, AVC_CONFIG, HEVC_CONFIG

from fastflv.containers.carriage import CARRIED, Track, carries, refusal
from fastflv.containers.mpegts import describe
from fastflv.media.codecs import CODECS, Codec

KNOWN = {codec.name: codec for codec in CODECS}
FOUR_CCS = {codec.four_cc: codec for codec in CODECS if codec.four_cc}
RECORDS = {
    "H264": AVC_CONFIG,
    "HEVC": HEVC_CONFIG,
    "AAC": ASC,
    "FLAC": b"\x10\0\x10\0" + bytes(6) + bytes.fromhex("0ac442f0") + bytes(20),
    "VP9": b"\0\x0a\x82\2\2\2\0\0",
}


def number(codec: Codec) -> int:
    return codec.numbers[0] if codec.numbers else int.from_bytes(codec.four_cc.encode(), "big")


def track(name: str, record: bytes | None = None) -> Track:
    """A track as encoders send it, with a decoder configuration where the codec has one."""
    codec = KNOWN[name]
    return Track(codec.kind, number(codec), RECORDS.get(name, b"") if record is None else record)


UNKNOWN = Track(9, 99)


@pytest.mark.parametrize("container", ["flv", "ts", "aac", "mp3", "rtmp", "hls-ts", "hls-fmp4"])
def test_codecs_in_the_table_are_named_as_everywhere(container):
    assert CARRIED[container] - {"*"} <= KNOWN.keys()


@pytest.mark.parametrize("one", [UNKNOWN, *map(track, sorted(KNOWN))])
def test_flv_and_rtmp_carry_anything(one):
    assert carries("flv", one)
    assert carries("rtmp", one)


def test_ts_carries_what_its_muxer_writes():
    for four, codec in FOUR_CCS.items():
        if not carries("ts", track(codec.name)):
            assert describe(codec.kind, int.from_bytes(four.encode(), "big"), b"") is None
    for four in (".mp3", "ac-3", "ec-3", "Opus"):
        assert describe(8, int.from_bytes(four.encode(), "big"), b"") is not None
        assert carries("ts", track(FOUR_CCS[four].name))


@pytest.mark.parametrize(
    ("container", "codec", "expected"),
    [
        ("ts", "H264", True),
        ("ts", "HEVC", True),
        ("ts", "AV1", False),
        ("ts", "Opus", True),
        ("ts", "G711A", False),
        ("hls-ts", "Opus", False),
        ("hls-fmp4", "AV1", True),
        ("hls-fmp4", "VP9", True),
        ("hls-fmp4", "FLAC", True),
        ("hls-fmp4", "G711MU", False),
        ("aac", "AAC", True),
        ("aac", "MP3", False),
        ("mp3", "MP3", True),
        ("mp3", "H264", False),
    ],
)
def test_the_table(container, codec, expected):
    assert carries(container, track(codec)) is expected
    assert not carries(container, UNKNOWN)


ELD, LD = b"\xf8\xe4\x20\0", b"\xba\x10\0"
SHORT = b"\x12\x14"
"AAC-LC of 960 samples a frame."
NO_LAYOUT = b"\x12\0"
LAYOUT = b"\x12\0\x04\xc8\x04\0\x20\0\0"


@pytest.mark.parametrize(
    ("name", "record", "ts", "mp4"),
    [
        ("AAC", b"", False, False),
        ("AAC", ELD, False, True),
        ("AAC", LD, False, True),
        ("AAC", SHORT, False, True),
        ("AAC", NO_LAYOUT, False, True),
        ("AAC", b"\xff", False, False),
        ("H264", b"", False, False),
        ("H264", b"\0record", False, False),
        ("HEVC", b"", False, False),
        ("VP9", b"", False, False),
        ("FLAC", b"", False, False),
        ("Opus", b"", True, True),
        ("AV1", b"", False, True),
    ],
)
def test_what_a_decoder_configuration_says_counts(name, record, ts, mp4):
    one = track(name, record)
    assert (carries("ts", one), carries("hls-fmp4", one)) == (ts, mp4)
    assert carries("aac", one) is (ts and name == "AAC")


def test_an_unknown_container_is_a_mistake():
    with pytest.raises(KeyError):
        carries("mkv", track("H264"))


@pytest.mark.parametrize(
    ("container", "tracks", "sentence"),
    [
        (
            "ts",
            [track("H264"), track("G711A")],
            "`/live/a` has G711A audio, which .ts cannot carry; play .flv or .ts?only=video",
        ),
        (
            "ts",
            [track("VP9"), track("FLAC")],
            "`/live/a` has VP9 video and FLAC audio, which .ts cannot carry; play .flv",
        ),
        (
            "ts",
            [track("AV1"), track("AAC")],
            "`/live/a` has AV1 video, which .ts cannot carry; play .flv or .ts?only=audio",
        ),
        ("ts", [track("H264"), track("AAC")], ""),
        ("ts", [track("AAC")], ""),
        ("ts", [], ""),
        ("flv", [track("VP9"), track("Speex")], ""),
        ("aac", [track("VP9"), track("AAC")], ""),
        ("aac", [track("MP3")], "`/live/a` has MP3 audio, which .aac cannot carry; play .flv"),
        ("mp3", [track("H264")], "`/live/a` has no audio, which .mp3 needs; play .flv"),
        (
            "hls-ts",
            [track("Opus")],
            "`/live/a` has Opus audio, which HLS with .ts segments cannot carry; play .flv",
        ),
        (
            "ts",
            [track("H264"), track("AAC", ELD)],
            "`/live/a` has AAC audio of profile ELD, which .ts cannot carry; play .flv or .ts?only=video",
        ),
        (
            "aac",
            [track("AAC", b"")],
            "`/live/a` has AAC audio without a sequence header, which .aac cannot carry; play .flv",
        ),
        (
            "aac",
            [track("AAC", NO_LAYOUT)],
            "`/live/a` has AAC audio without a channel layout, which .aac cannot carry; play .flv",
        ),
        (
            "ts",
            [track("AAC", SHORT)],
            "`/live/a` has AAC audio of 960 samples a frame, which .ts cannot carry; play .flv",
        ),
        (
            "ts",
            [track("H264", b"\0record")],
            "`/live/a` has H264 video with a sequence header that does not fit, which .ts cannot carry; play .flv",
        ),
        ("ts", [UNKNOWN], "`/live/a` has unknown video, which .ts cannot carry; play .flv"),
    ],
)
def test_a_refusal_is_one_sentence(container, tracks, sentence):
    assert refusal("/live/a", container, tracks) == sentence
