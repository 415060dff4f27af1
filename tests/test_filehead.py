"""Heads of FLV files: one size whatever is in them, read by others, with an index that fits."""

from __future__ import annotations

import pytest
from flvread import SCRIPT, FlvReader
from hypothesis import given
from hypothesis import strategies as st

from fastflv.containers.flv.filehead import file_head, room_for
from fastflv.containers.flv.keyindex import KeyIndex
from fastflv.media.amf import amf0

METADATA = {"width": 320.0, "encoder": "x", "duration": 7.0}


def index(count: int, most: int = 10_000) -> KeyIndex:
    keys = KeyIndex(most)
    for i in range(count):
        keys.add(2000 * i, 1000 + 50 * i)
    return keys


def fields_of(head: bytes) -> dict:
    reader = FlvReader()
    [tag] = reader.feed(head)
    assert reader.whole and tag.kind == SCRIPT and tag.time == 0
    name, fields, *filler = amf0.decode_all(tag.body)
    assert name == "onMetaData"
    assert all(value is None or not value.strip() for value in filler)
    return fields


@given(st.integers(0, 60), st.integers(0, 700))
def test_a_head_has_the_size_of_its_room_whatever_is_in_it(count, slack):
    room = room_for(METADATA, 40) + slack
    empty = file_head(METADATA, audio=True, video=True, room=room)
    full = file_head(METADATA, audio=True, video=True, duration_ms=5, size=9, keys=index(count), room=room)
    assert len(empty) == len(full)
    assert fields_of(empty)["keyframes"] == {"times": [], "filepositions": []}
    found = fields_of(full)
    assert (found["duration"], found["filesize"], found["width"]) == (0.005, 9, 320)
    assert found["hasKeyframes"] is (count > 0)
    times, positions = found["keyframes"]["times"], found["keyframes"]["filepositions"]
    assert len(times) == len(positions) and times[:1] == ([0] if count else [])
    # What is listed is true.
    assert all(position == 1000 + 25 * time for time, position in zip(times, positions, strict=True))


def test_an_index_that_does_not_fit_lists_every_second_keyframe():
    room = room_for(METADATA, 10)
    head = file_head(METADATA, audio=True, video=True, keys=index(16), room=room)
    assert fields_of(head)["keyframes"]["times"] == [0, 4, 8, 12, 16, 20, 24, 28]


def test_metadata_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="metadata"):
        file_head({"text": "x" * 500}, audio=True, video=True, keys=index(3), room=room_for(METADATA, 3))


def test_flags_of_the_header_are_those_of_the_tracks():
    for audio, video in ((True, False), (False, True), (True, True)):
        head = file_head({}, audio=audio, video=video, room=room_for({}, 0))
        assert head[4] == 4 * audio + video


@given(st.integers(1, 50), st.integers(0, 500))
def test_an_index_has_a_bound_and_even_steps(most, count):
    keys = index(count, most)
    assert len(keys) <= max(most, 1) and (len(keys) > 0) is (count > 0)
    steps = {b - a for a, b in zip(keys.times_ms, keys.times_ms[1:], strict=False)}
    assert len(steps) <= 1
    assert len(keys) * 4 >= min(most, count)


def test_what_the_longest_index_makes_is_read_by_the_amf_reader():
    from fastflv import limits

    room = room_for(METADATA, limits.RECORD_KEYS_MAX)
    keys = index(5 * limits.RECORD_KEYS_MAX, limits.RECORD_KEYS_MAX)
    fields = fields_of(file_head(METADATA, audio=True, video=True, keys=keys, room=room))
    assert len(fields["keyframes"]["times"]) > limits.RECORD_KEYS_MAX // 2
