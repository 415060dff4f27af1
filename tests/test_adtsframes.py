"""AAC in ADTS frames inside FLV tags: players get raw frames, and the sequence header that says what they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.flv import AUDIO, Feed, Tag, log_tags

from fastflv import limits
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.syntax.adts import adts as in_adts
from fastflv.media.audioconfig import parse_asc
from fastflv.media.inband import make_record

STEREO = b"\x12\x10"
"AAC-LC, 44.1 kHz."


def adts(frame: bytes, rate: int = 4, channels: int = 2, *, crc: bool = False) -> bytes:
    data = bytearray(in_adts(b"\xab\xcd" * crc + frame, 2, rate, channels))
    if crc:
        data[1] &= 0xFE
    return bytes(data)


def published(*bodies: bytes) -> list[Tag]:
    """What is in the log of a stream whose publisher sends these, 100 ms apart."""
    feed = Feed(StreamWriter(MediaLog(), make_record=make_record))
    feed.writer.begin(10)
    for number, body in enumerate(bodies):
        feed.audio(100 * number, body)
    assert all(tag.kind == AUDIO for tag in log_tags(feed.writer.log))
    return log_tags(feed.writer.log)


@pytest.mark.parametrize("crc", [False, True])
@pytest.mark.parametrize(("legacy", "head"), [(b"\xaf\1", b"\xaf\0"), (b"\x91mp4a", b"\x90mp4a")])
def test_frames_are_taken_out_and_their_header_becomes_a_sequence_header(legacy, head, crc):
    bodies = [legacy + adts(b"one", crc=crc), legacy + adts(b"two", crc=crc)]
    assert [(tag.dts_ms, tag.body) for tag in published(*bodies)] == [
        (0, head + STEREO),
        (0, legacy + b"one"),
        (100, legacy + b"two"),
    ]


def test_the_publishers_own_sequence_header_counts():
    asc = b"\x11\x90"
    tags = published(b"\xaf\0" + asc, b"\xaf\1" + adts(b"one"))
    assert [tag.body for tag in tags] == [b"\xaf\0" + asc, b"\xaf\1one"]


@pytest.mark.parametrize("header", [b"\xaf\0", b"\xaf\0" + adts(b"x")[:7]])
def test_a_sequence_header_that_is_empty_or_an_adts_header_is_replaced(header):
    tags = published(header, b"\xaf\1" + adts(b"one"))
    assert [tag.body for tag in tags] == [b"\xaf\0" + STEREO, b"\xaf\1one"]


def test_a_tag_of_endless_frames_brings_a_bounded_number():
    tags = published(b"\xaf\1" + adts(b"x") * 100_000)
    assert len(tags) == 1 + limits.ADTS_FRAMES_MAX


def test_several_frames_of_a_tag_are_tags_of_their_own():
    tags = published(b"\xaf\1" + adts(b"one", 3) + adts(b"two", 3) + adts(b"three", 3))
    assert [(tag.dts_ms, tag.body[2:]) for tag in tags[1:]] == [(0, b"one"), (21, b"two"), (42, b"three")]


def test_frames_of_another_kind_bring_another_header():
    tags = published(
        b"\xaf\1" + adts(b"one"), b"\xaf\1" + adts(b"two", 3, 1), b"\xaf\1" + adts(b"three", 3, 1)
    )
    configs = [parse_asc(tag.body[2:]) for tag in tags if tag.is_header]
    assert [(one.sample_rate, one.channels) for one in configs] == [(44100, 2), (48000, 1)]


@pytest.mark.parametrize(
    "body", [b"\xaf\1raw", b"\xaf\1" + adts(b"one")[:-1], b"\xaf\1" + adts(b"one") + b"x"]
)
def test_what_is_no_whole_adts_passes_as_it_is(body):
    assert [tag.body for tag in published(b"\xaf\0" + STEREO, body)] == [b"\xaf\0" + STEREO, body]


@given(
    st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=6),
    st.integers(0, 12),
    st.integers(1, 7),
)
def test_whatever_the_frames_they_come_out_in_order(frames, rate, channels):
    tags = published(b"\xaf\1" + b"".join(adts(frame, rate, channels) for frame in frames))
    assert [tag.body[2:] for tag in tags[1:]] == frames


@given(st.binary(max_size=40))
def test_whatever_the_bytes_the_log_is_whole_tags(data):
    for begin in (b"", b"\xff\xf1", adts(b"one")):
        published(b"\xaf\1" + begin + data, b"\x95\1mp4a\0" + begin + data)
