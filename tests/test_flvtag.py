"""FLV tags against a slow writer and reader; what a body is, for every legacy and Enhanced RTMP form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.flv import (
    AUDIO,
    COMMAND,
    CONFIG,
    DISPOSABLE,
    KEY,
    NOTES,
    SCRIPT,
    VIDEO,
    Tag,
    read_tags,
    write_tag,
)

from fastflv._ext.syntax.flvtag import make_tag, traits

TAGS = st.builds(
    Tag,
    st.sampled_from([AUDIO, VIDEO, SCRIPT]),
    st.one_of(st.sampled_from([0, 2**24 - 1, 2**24, 2**31 - 1]), st.integers(0, 2**31 - 1)),
    st.binary(max_size=300),
)


def fourcc(name: bytes) -> int:
    return int.from_bytes(name.ljust(4), "big")


def modex(nanos: int, follows: int) -> bytes:
    """A TimestampOffsetNano prefix; *follows* is the packet type behind it."""
    return b"\x02" + nanos.to_bytes(3, "big") + bytes([follows])


def long_modex(follows: int) -> bytes:
    """A prefix of 300 bytes, of an unknown type."""
    return b"\xff" + (299).to_bytes(2, "big") + bytes(300) + bytes([0x50 | follows])


AVC, HEVC, AV1 = fourcc(b"avc1"), fourcc(b"hvc1"), fourcc(b"av01")

VIDEO_CASES = {
    "H.264 key": (b"\x17\x01\0\0\0x", (KEY, 7, 0)),
    "H.264 inter": (b"\x27\x01\0\0\0x", (0, 7, 0)),
    "H.264 disposable": (b"\x37\x01\0\0\0x", (DISPOSABLE, 7, 0)),
    "H.264 generated key": (b"\x47\x01\0\0\0x", (KEY, 7, 0)),
    "H.264 header": (b"\x17\x00\0\0\0x", (CONFIG, 7, 0)),
    "H.264 header that says inter": (b"\x27\x00\0\0\0x", (CONFIG, 7, 0)),
    "H.264 end": (b"\x17\x02\0\0\0", (COMMAND | KEY, 7, 0)),
    "H.264 without a composition time": (b"\x17\x01\0\0", (COMMAND, 7, 0)),
    "legacy seek start": (b"\x57\x00", (COMMAND, 7, 0)),
    "legacy seek end": (b"\x52\x01", (COMMAND, 2, 0)),
    "legacy seek start with bytes behind it": (b"\x57\x00\0\0\0\0", (COMMAND, 7, 0)),
    "HEVC by its unofficial id": (b"\x1c\x01\0\0\0x", (KEY, 12, 0)),
    "HEVC header by its unofficial id": (b"\x1c\x00\0\0\0x", (CONFIG, 12, 0)),
    "AV1 by its unofficial id": (b"\x2d\x01\0\0\0x", (0, 13, 0)),
    "H.263 key": (b"\x12x", (KEY, 2, 0)),
    "H.263 disposable": (b"\x32x", (DISPOSABLE, 2, 0)),
    "VP6 whose second byte is 0": (b"\x24\x00x", (0, 4, 0)),
    "Screen key": (b"\x13x", (KEY, 3, 0)),
    "enhanced header": (b"\x90hvc1x", (CONFIG, HEVC, 0)),
    "enhanced key": (b"\x91hvc1\0\0\0x", (KEY, HEVC, 0)),
    "enhanced inter": (b"\xa1avc1\0\0\0x", (0, AVC, 0)),
    "enhanced disposable": (b"\xb1av01x", (DISPOSABLE, AV1, 0)),
    "enhanced key without composition time": (b"\x93hvc1x", (KEY, HEVC, 0)),
    "enhanced inter without composition time": (b"\xa3hvc1x", (0, HEVC, 0)),
    "enhanced end": (b"\x92hvc1", (COMMAND, HEVC, 0)),
    "enhanced metadata": (b"\x94hvc1\x02\0\x09colorInfo", (COMMAND | NOTES, HEVC, 0)),
    "enhanced metadata as a command frame": (b"\xd4hvc1\x02\0\x09colorInfo", (COMMAND | NOTES, HEVC, 0)),
    "AV1 as in MPEG-TS": (b"\x95av01x", (CONFIG, AV1, 0)),
    "enhanced seek start": (b"\xd0\x00", (COMMAND, 0, 0)),
    "enhanced seek with bytes behind it": (b"\xd0\x00avc1xx", (COMMAND, 0, 0)),
    "ModEx before a key": (b"\x97" + modex(999_999, 1) + b"avc1\0\0\0x", (KEY, AVC, 0)),
    "ModEx before a header": (b"\x97" + modex(0, 0) + b"avc1x", (CONFIG, AVC, 0)),
    "two ModEx": (b"\xa7" + modex(5, 7) + modex(6, 3) + b"hvc1x", (0, HEVC, 0)),
    "a long ModEx of an unknown type": (b"\x97" + long_modex(1) + b"hvc1\0\0\0", (KEY, HEVC, 0)),
    "one track": (b"\x96\x01avc1\x03\0\0\0x", (KEY, AVC, 3)),
    "header of one track": (b"\x96\x00avc1\x03x", (CONFIG, AVC, 3)),
    "many tracks": (b"\xa6\x11avc1\x02\0\0\x01x\x03\0\0\x01y", (0, AVC, 2)),
    "many tracks, many codecs": (b"\x96\x21avc1\x00\0\0\x01xhvc1\x01\0\0\x01y", (KEY, AVC, 0)),
    "ModEx before a track": (b"\x97" + modex(1, 6) + b"\x01hvc1\x09\0\0\0x", (KEY, HEVC, 9)),
    "reserved packet type": (b"\x98hvc1x", (COMMAND, HEVC, 0)),
}

AUDIO_CASES = {
    "AAC": (b"\xaf\x01x", (0, 10, 0)),
    "AAC header": (b"\xaf\x00\x12\x10", (CONFIG, 10, 0)),
    "MP3": (b"\x2f\xff\xfb", (0, 2, 0)),
    "MP3 whose second byte is 0": (b"\x2f\x00", (0, 2, 0)),
    "G.711 A": (b"\x72x", (0, 7, 0)),
    "Speex": (b"\xb2x", (0, 11, 0)),
    "one byte of G.711": (b"\x80", (0, 8, 0)),
    "enhanced AAC header": (b"\x90mp4a\x12\x10", (CONFIG, fourcc(b"mp4a"), 0)),
    "Opus": (b"\x91Opusx", (0, fourcc(b"Opus"), 0)),
    "FLAC header": (b"\x90fLaCx", (CONFIG, fourcc(b"fLaC"), 0)),
    "AC-3": (b"\x91ac-3x", (0, fourcc(b"ac-3"), 0)),
    "enhanced MP3": (b"\x91.mp3x", (0, fourcc(b".mp3"), 0)),
    "end": (b"\x92Opus", (COMMAND, fourcc(b"Opus"), 0)),
    "ModEx": (b"\x97" + modex(1, 1) + b"Opusx", (0, fourcc(b"Opus"), 0)),
    "one track": (b"\x95\x01Opus\x05x", (0, fourcc(b"Opus"), 5)),
    "header of one track": (b"\x95\x00mp4a\x05\x12\x10", (CONFIG, fourcc(b"mp4a"), 5)),
    "ModEx before a track": (b"\x97" + modex(1, 5) + b"\x01Opus\x07x", (0, fourcc(b"Opus"), 7)),
}

CASES = [pytest.param(VIDEO, *row, id=f"video: {name}") for name, row in VIDEO_CASES.items()]
CASES += [pytest.param(AUDIO, *row, id=f"audio: {name}") for name, row in AUDIO_CASES.items()]


@given(TAGS)
def test_a_tag_is_what_the_model_writes(tag):
    assert make_tag(*tag) == write_tag(tag)


@given(st.lists(TAGS))
def test_tags_in_a_row_are_read_back(tags):
    assert read_tags(b"".join(make_tag(*tag) for tag in tags)) == tags


@given(st.integers(-(2**62), 2**62))
def test_times_are_taken_modulo_two_to_the_31(time):
    assert make_tag(VIDEO, time, b"x") == write_tag(Tag(VIDEO, time % 2**31, b"x"))


def test_the_longest_body_fits_and_a_longer_one_does_not():
    body = bytes(2**24 - 1)
    assert make_tag(VIDEO, 0, body) == write_tag(Tag(VIDEO, 0, body))
    with pytest.raises(ValueError, match="16777215"):
        make_tag(VIDEO, 0, body + b"x")


@pytest.mark.parametrize("buffer", [bytearray(b"abc"), memoryview(b"abc")], ids=["bytearray", "memoryview"])
def test_any_buffer_is_taken(buffer):
    assert make_tag(AUDIO, 5, buffer) == make_tag(AUDIO, 5, b"abc")
    assert traits(AUDIO, buffer) == traits(AUDIO, b"abc")


@pytest.mark.parametrize(("kind", "body", "expected"), CASES)
def test_traits(kind, body, expected):
    flags, codec, track = traits(kind, body)
    if flags & COMMAND:
        # Of a command the frame type does not count.
        flags &= ~(KEY | DISPOSABLE)
        expected = (expected[0] & ~(KEY | DISPOSABLE), *expected[1:])
    assert (flags, codec, track) == expected


@pytest.mark.parametrize(("kind", "body", "expected"), CASES)
def test_a_header_cut_short_is_never_a_picture_to_start_from_nor_a_configuration(kind, body, expected):
    first = traits(kind, body)[1]
    for size in range(len(body)):
        flags, codec, _ = traits(kind, body[:size])
        if codec != first and not (kind == AUDIO and size and body[0] >> 4 not in (9, 10)):
            assert flags & COMMAND, body[:size]


def test_an_audio_channel_configuration_is_told_from_the_sequence_header():
    header, _, _ = traits(AUDIO, b"\x90mp4a\x12\x10")
    channels, _, _ = traits(AUDIO, b"\x94mp4a\x01\x06\x00\x00\x00\x3f")
    assert header & CONFIG
    assert channels & CONFIG
    assert header != channels


@pytest.mark.parametrize("kind", [0, SCRIPT, 22, 255])
def test_what_is_neither_audio_nor_video_is_a_command(kind):
    assert traits(kind, b"\x17\x01\0\0\0") == (COMMAND, 0, 0)


@given(st.sampled_from([AUDIO, VIDEO]), st.binary(max_size=40))
def test_whatever_the_bytes_there_is_an_answer(kind, body):
    flags, codec, track = traits(kind, body)
    assert 0 <= flags < 32
    assert 0 <= codec < 2**32
    assert 0 <= track < 256
    if not body:
        assert flags == COMMAND
