"""Clips one behind the other: times go on, headers are sent once, and a clip without media ends the loop."""

from __future__ import annotations

from itertools import islice, repeat

from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, inter, key, sound

from fastflv.containers.flv.reader import FlvTag
from fastflv.media.amf import amf0
from fastflv.tools.sequence import in_sequence

SCRIPT = 18
METADATA = FlvTag(SCRIPT, 0, amf0.encode("onMetaData", {"width": 1.0}))
CUE = FlvTag(SCRIPT, 5010, amf0.encode("onCuePoint", {}))
HEADS = [METADATA, FlvTag(VIDEO, 5000, AVC_HEADER), FlvTag(AUDIO, 5000, AAC_HEADER)]
CLIP = [
    *HEADS,
    FlvTag(VIDEO, 5000, key()),
    FlvTag(AUDIO, 5005, sound()),
    CUE,
    FlvTag(VIDEO, 5040, inter()),
    FlvTag(AUDIO, 5030, sound()),
]


def shape(tags):
    return [(tag.kind, tag.time_ms) for tag in tags]


def test_times_begin_at_0_and_go_on_one_frame_behind_the_end():
    assert shape(in_sequence([CLIP, CLIP])) == [
        (18, 0), (9, 0), (8, 0), (9, 0), (8, 5), (18, 10), (9, 40), (8, 30),
        # The last picture lasts as long as the one before; no header is repeated.
        (9, 80), (8, 85), (18, 90), (9, 120), (8, 110),
    ]  # fmt: skip


def test_a_header_that_changes_is_sent_where_its_clip_begins():
    other = [tag._replace(body=tag.body + b"x") if tag.body == AVC_HEADER else tag for tag in CLIP]
    tags = list(in_sequence([CLIP, other, CLIP]))
    headers = [(tag.time_ms, tag.body) for tag in tags if tag.body.startswith(AVC_HEADER)]
    assert headers == [(0, AVC_HEADER), (80, AVC_HEADER + b"x"), (160, AVC_HEADER)]
    for time, _ in headers:
        at = next(i for i, tag in enumerate(tags) if tag.time_ms == time and tag.body == key())
        assert tags[at - 1].body.startswith(AVC_HEADER) or tags[at - 1].body == AAC_HEADER


def test_the_end_of_a_sequence_is_left_out():
    end = FlvTag(VIDEO, 5080, b"\x17\2\0\0\0")
    assert shape(in_sequence([[*CLIP, end], CLIP])) == shape(in_sequence([CLIP, CLIP]))


def test_a_loop_goes_on_for_ever():
    last = list(islice(in_sequence(repeat(CLIP)), 1000))[-1]
    assert last.time_ms > 10_000


def test_a_loop_over_nothing_ends():
    assert list(in_sequence(repeat([]))) == []
    assert list(in_sequence(repeat(HEADS))) == []


def test_a_frame_before_the_first_one_begins_with_it():
    assert shape(in_sequence([[FlvTag(AUDIO, 50, sound()), FlvTag(VIDEO, 40, key())]])) == [(8, 0), (9, 0)]
