"""The newest GOP compressed to the live edge: every picture in its order, none shown before it is decoded, the future untouched."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, Feed, inter, key, read_tags, sound

from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.mux.compactstart import compact_start
from fastflv._ext.syntax.flvtag import payload

SPAN = 120


class Picture(NamedTuple):
    dts: int
    cts: int
    form: str


def coded(picture: Picture, mark: bytes, *, first: bool) -> bytes:
    """A video body; the forms are where the composition time is."""
    cts = picture.cts.to_bytes(3, "big", signed=True)
    frame = 0x10 if first else 0x20
    if picture.form == "legacy":
        return bytes([frame | 7, 1]) + cts + mark
    if picture.form == "hvc1":
        return bytes([0x80 | frame | 1]) + b"hvc1" + cts + mark
    if picture.form == "hvc1 without a field":
        return bytes([0x80 | frame | 3]) + b"hvc1" + mark
    return bytes([0x80 | frame | 1]) + b"av01" + mark


@st.composite
def films(draw) -> list[Picture]:
    """A GOP: steps of decode time, and composition times that are not negative."""
    forms = draw(st.sampled_from([["legacy"], ["hvc1", "hvc1 without a field"], ["av01"]]))
    rows, dts = [], 0
    for step in draw(st.lists(st.integers(0, 400), min_size=1, max_size=60)):
        form = draw(st.sampled_from(forms))
        cts = draw(st.integers(0, 300)) if form in ("legacy", "hvc1") else 0
        rows.append(Picture(dts, cts, form))
        dts += step
    return rows


def log_of(film: list[Picture], audio: range = range(0)) -> MediaLog:
    """A log with the film from 1,000 ms on, sound at the times of *audio*, in order of time."""
    log = MediaLog(keep_ms=10**9)
    rows = [(1000 + p.dts, VIDEO, coded(p, i.to_bytes(2, "big"), first=i == 0)) for i, p in enumerate(film)]
    rows += [(time, AUDIO, sound(time.to_bytes(4, "big"))) for time in audio]
    for time, kind, body in sorted(rows, key=lambda row: row[0]):
        log.append(kind, time, body)
    return log


def times(block: bytes) -> list[tuple[int, int, int]]:
    """Number, decode and presentation time of each picture."""
    rows = []
    for tag in read_tags(block):
        if tag.kind == VIDEO:
            found = payload(VIDEO, tag.body)
            assert found is not None and found[2] == 1
            rows.append((int.from_bytes(found[4], "big"), tag.dts_ms, tag.dts_ms + found[3]))
    return rows


@given(films())
def test_pictures_keep_their_order_and_end_at_the_edge(film):
    log = log_of(film)
    block = compact_start(log, span_ms=SPAN)
    rows = times(bytes(block))
    assert [number for number, _, _ in rows] == list(range(len(film)))
    dts = [row[1] for row in rows]
    assert all(b > a for a, b in pairwise(dts))
    last = 1000 + film[-1].dts
    assert dts[-1] == last
    assert dts[0] >= last - max(SPAN, len(film)) - len(film)
    for (_, out_dts, out_pts), picture in zip(rows, film, strict=True):
        assert out_pts >= out_dts or picture.form == "av01"
        # What is shown from the edge on is shown when it was to be.
        if 1000 + picture.dts + picture.cts >= last and picture.form != "av01":
            assert out_pts == 1000 + picture.dts + picture.cts
    shown = [(1000 + p.dts + p.cts, row[2]) for p, row in zip(film, rows, strict=True)]
    for before, compact in shown:
        for other, other_compact in shown:
            if before < other and film[0].form != "av01":
                assert compact <= other_compact


@given(films(), st.integers(1, 60))
def test_sound_is_that_of_the_last_moments_and_comes_in_order(film, step):
    last = 1000 + film[-1].dts
    log = log_of(film, range(1000, last + 1, step))
    tags = read_tags(bytes(compact_start(log, span_ms=SPAN)))
    heard = [tag.dts_ms for tag in tags if tag.kind == AUDIO]
    assert heard == [t for t in range(1000, last + 1, step) if t >= log.head_dts - SPAN]
    # Pictures before sound of the same time; each kind rises.
    order = [tag.dts_ms for tag in tags]
    assert order == sorted(order)


def test_headers_come_first_with_the_time_of_the_first_picture():
    log = MediaLog()
    feed = Feed(StreamWriter(log))
    feed.writer.begin(0)
    feed.audio(0, AAC_HEADER)
    feed.audio(0, sound(b"before"))
    feed.video(0, AVC_HEADER)
    for i in range(50):
        feed.video(40 * i, inter(b"%d" % i) if i else key(b"0"))
    tags = read_tags(bytes(compact_start(log, span_ms=SPAN)))
    assert [tag.body for tag in tags[:2]] == [AAC_HEADER, AVC_HEADER]
    assert tags[0].dts_ms == tags[1].dts_ms == tags[2].dts_ms
    assert tags[-1].dts_ms - tags[2].dts_ms == SPAN
    assert [tag.mark for tag in tags[2:]] == [b"%d" % i for i in range(50)]


def test_disposable_pictures_are_left_out():
    log = MediaLog()
    for i in range(10):
        log.append(VIDEO, 40 * i, b"\x37\1\0\0\0" if i % 2 else inter() if i else key())
    tags = read_tags(bytes(compact_start(log, span_ms=SPAN)))
    assert [tag.body[0] for tag in tags] == [0x17] + [0x27] * 4


def test_sound_that_follows_anyway_is_left_out():
    log = log_of([Picture(0, 0, "legacy"), Picture(40, 0, "legacy")], range(1000, 1060, 20))
    tags = read_tags(bytes(compact_start(log, span_ms=SPAN, audio_before=1020)))
    assert [tag.dts_ms for tag in tags if tag.kind == AUDIO] == [1000]


def test_a_gop_of_one_millisecond_a_picture_takes_as_long_as_it_has_pictures():
    film = [Picture(10 * i, 0, "legacy") for i in range(500)]
    rows = times(bytes(compact_start(log_of(film), span_ms=SPAN)))
    assert rows[-1][1] - rows[0][1] == pytest.approx(500, abs=1)


def test_without_a_keyframe_there_is_nothing_to_compact_start():
    log = MediaLog()
    log.append(AUDIO, 0, sound())
    assert compact_start(log, span_ms=SPAN) is None


def test_bodies_with_several_tracks_are_not_moved():
    log = MediaLog()
    log.append(VIDEO, 0, b"\x96\x01av01\0key")
    log.append(VIDEO, 4000, b"\xa6\x01av01\0inter")
    assert log.key_pos == 0
    assert compact_start(log, span_ms=SPAN) is None
