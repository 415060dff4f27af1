"""The data of a tag body's default track, against a slow reader of every form."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from model.bodies import CODED, CODED_X, MANY_CODECS, MANY_TRACKS, MULTITRACK, ONE_TRACK
from model.bodies import payload as model
from model.flv import AUDIO, SCRIPT, VIDEO

from fastflv._ext.syntax.flvtag import payload, traits

COMMAND, CONFIG = 8, 4
NAMES = st.sampled_from([b"avc1", b"hvc1", b"vvc1", b"av01", b"vp09", b"mp4a", b"Opus", b".mp3", b"zzzz"])
DATA = st.binary(max_size=12)
PACKETS = st.integers(0, 15)


@st.composite
def mod_exes(draw, follows: int) -> tuple[int, bytes]:
    """The packet type of the first byte, and the prefixes that lead to packet type *follows*."""
    wire = b""
    for size in reversed(draw(st.lists(st.sampled_from([1, 3, 4, 255, 256, 257, 300]), max_size=3))):
        head = bytes([size - 1]) if size < 256 else b"\xff" + (size - 1).to_bytes(2, "big")
        what = draw(st.integers(0, 15)) << 4 | follows
        wire, follows = head + bytes(size) + bytes([what]) + wire, 7
    return follows, wire


@st.composite
def extended(draw, kind: int) -> bytes:
    """An Enhanced RTMP body: plain or of several tracks, behind any number of ModEx."""
    packet = draw(PACKETS)
    how = draw(st.sampled_from([None, None, ONE_TRACK, MANY_TRACKS, MANY_CODECS, 3]))
    if how is None:
        first, body = draw(mod_exes(packet))
        body += draw(NAMES) + draw(DATA)
    else:
        first, body = draw(mod_exes(MULTITRACK[kind]))
        body += bytes([how << 4 | packet]) + (draw(NAMES) if how != MANY_CODECS else b"")
        for track in draw(st.lists(st.integers(0, 2), max_size=4)):
            data = draw(DATA)
            size = draw(st.sampled_from([len(data)] * 5 + [len(data) + 9]))
            body += draw(NAMES) if how == MANY_CODECS else b""
            body += bytes([track]) + (size.to_bytes(3, "big") if how != ONE_TRACK else b"") + data
    if kind == AUDIO:
        return bytes([0x90 | first]) + body
    return bytes([0x80 | draw(st.integers(0, 7)) << 4 | first]) + body


@st.composite
def bodies(draw) -> tuple[int, bytes]:
    kind = draw(st.sampled_from([AUDIO, VIDEO]))
    legacy = st.builds(
        lambda first, rest: bytes([first]) + rest,
        st.sampled_from([0x17, 0x27, 0x1C, 0x2D, 0x57, 0x12, 0xAF, 0xA2, 0x2F, 0x72]) | st.integers(0, 255),
        DATA,
    )
    return kind, draw(st.one_of(extended(kind), extended(kind), legacy, st.binary(max_size=20)))


@settings(max_examples=1000)
@given(bodies(), st.integers(0, 40))
@example((VIDEO, b"\x96\x11avc1\x01\0\0\x02xx\x00\0\0\x04\xff\xff\xfey"), 0)
def test_the_default_track_is_the_models_whole_or_cut_short(given_body, cut):
    kind, body = given_body
    assert payload(kind, body) == model(kind, body)
    shorter = body[: max(0, len(body) - cut)]
    assert payload(kind, shorter) == model(kind, shorter)


@given(bodies())
def test_what_is_a_frame_or_a_header_by_its_traits_is_one_by_its_payload(given_body):
    kind, body = given_body
    flags, codec, track = traits(kind, body)
    found = payload(kind, body)
    if found is None or flags & COMMAND or track != 0:
        return
    assert found[0] == codec
    # Headers of other kinds (channels, MPEG-2 TS form) are configuration too.
    assert (found[2] == CODED) == (not flags & CONFIG)


@pytest.mark.parametrize("how", [ONE_TRACK, MANY_TRACKS, MANY_CODECS])
def test_coded_frames_without_a_composition_time_are_coded_frames(how):
    size = b"" if how == ONE_TRACK else b"\0\0\1"
    body = bytes([0x96, how << 4 | CODED_X]) + b"hvc1\x00" + size + b"x"
    assert payload(VIDEO, body) == (0x68766331, 1, CODED, 0, b"x")


def test_script_data_has_no_track():
    assert payload(SCRIPT, b"\x17\x01\0\0\0x") is None
