"""The list of segments, against a model that remembers every playlist."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from model import m3u8

from fastflv import limits
from fastflv.containers.playlist import QUERY, read_playlist
from fastflv.containers.segmenter import Segment
from fastflv.servers.hls.names import HlsNames
from fastflv.servers.hls.segmentlist import SegmentList
from fastflv.stream.name import StreamName

NAME = StreamName("v", "live", "cam")
NAMES = HlsNames("v")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("segment"), st.integers(100, 4000), st.sampled_from([b"", b"init 1", b"init 2"])),
        st.tuples(st.just("window"), st.integers(0, 20_000), st.none()),
        st.tuples(st.just("evict"), st.none(), st.none()),
        st.tuples(st.just("anew"), st.none(), st.none()),
    ),
    max_size=60,
)


def a_list(playlist_ms: int = 6000, number: int = 0) -> SegmentList:
    return SegmentList(NAME, NAMES, playlist_ms, number)


def add(segments: SegmentList, now: float, duration_ms: int = 1000, init: bytes = b"") -> str:
    named = segments.name_segment(Segment(0, duration_ms, b"body", init, True, False), 0)
    segments.append(named, -(-duration_ms // 1000), now)
    return named.path


def text(segments: SegmentList) -> str:
    return segments.playlist.text().replace(QUERY, "")


@given(STEPS)
def test_a_segment_is_available_as_long_as_a_player_may_ask_for_it(steps):
    """RFC 8216, 6.2.2: for its own length and that of the longest playlist that listed it."""
    segments, now = a_list(), 0.0
    stored: set[str] = set()
    inits: dict[str, str] = {}
    lengths: dict[str, tuple[float, float]] = {}
    "By path of a segment: its length and that of the longest playlist with it, seconds."
    until: dict[str, float] = {}
    "By path: when the segment may expire."
    numbers: dict[str, int] = {}
    for step, value, init in steps:
        if step == "segment":
            now += value / 1000
            named = segments.name_segment(Segment(0, value, b"body", init, True, False), 0)
            stored |= {named.path, named.init_path} - {""}
            inits[named.path] = named.init_path
            lengths[named.path] = (value / 1000, 0.0)
            segments.append(named, 4, now)
        elif step == "window":
            segments.playlist.playlist_ms = value
        elif step == "evict":
            evicted = segments.evict()
            stored -= set(evicted)
            for path in evicted:
                until.pop(path, None)
        else:
            segments.begin_anew(now)
        media = m3u8.read_media(text(segments))
        listed = {f"live/{segment.uri}": segment.number for segment in media.segments}
        for path, number in listed.items():
            assert numbers.setdefault(path, number) == number
            lengths[path] = (lengths[path][0], max(lengths[path][1], media.length))
            until[path] = float("inf")
        for path, end in until.items():
            if end == float("inf") and path not in listed:
                until[path] = now + sum(lengths[path])
        stored -= set(segments.expire(now))
        for path, end in until.items():
            if end > now + 0.001:
                assert {path, inits[path]} - {""} <= stored
    stored -= set(segments.expire_all())
    assert segments.expire_all() == []
    assert stored & set(inits) == {path for path, end in until.items() if end == float("inf")}


@given(st.lists(st.tuples(st.integers(100, 4000), st.sampled_from([b"", b"a", b"b"])), max_size=30))
def test_a_resumed_list_continues_the_numbers_and_keeps_the_files(rows):
    before, now = a_list(number=7), 0.0
    for duration_ms, init in rows:
        now += duration_ms / 1000
        add(before, now, duration_ms, init)
    old = read_playlist(text(before), 6000)
    assert old is not None
    after = a_list()
    paths = list(after.resume(old))
    assert text(after) == text(before)
    assert len(after) == len(before)
    after.set_sizes(dict.fromkeys(paths, 4))
    assert after.rates == before.rates
    path = add(after, now)
    assert path == f"live/cam-{7 + len(rows)}.ts"


def test_a_first_segment_needs_no_discontinuity_and_a_resumed_one_does():
    for resumed in (False, True):
        segments = a_list()
        if resumed:
            old = a_list()
            add(old, 1.0)
            list(segments.resume(read_playlist(text(old), 6000)))
        named = segments.name_segment(Segment(0, 1000, b"body", b"", True, True), 0)
        segments.append(named, 1, 2.0)
        assert ("#EXT-X-DISCONTINUITY" in text(segments)) is resumed


def test_eviction_leaves_three_segments():
    segments = a_list(playlist_ms=60_000)
    paths = [add(segments, now) for now in range(6)]
    evicted = [segments.evict() for _ in range(5)]
    assert evicted == [[paths[0]], [paths[1]], [paths[2]], [], []]
    assert len(segments) == limits.HLS_FIRST_SEGMENTS


def test_a_shorter_window_keeps_what_the_longer_playlist_listed():
    segments = a_list(playlist_ms=20_000)
    paths = [add(segments, now) for now in range(20)]
    segments.playlist.playlist_ms = 4000
    paths.append(add(segments, 20.0))
    assert len(segments) == 4
    assert segments.expire(20.0 + 20) == []
    # Also of the segments that only leave now.
    paths.append(add(segments, 21.0))
    assert segments.expire(20.0 + 21 + 0.01) == paths[:17]
    assert segments.expire(21.0 + 21 + 0.01) == paths[17:18]


def test_a_start_time_is_rounded_down_to_the_wall_clock():
    names = HlsNames("v", segment="[app]/[stream]-[timestamp].ts")
    segments = SegmentList(NAME, names, 6000, 0)
    segment = Segment(0, 1000, b"", b"", True, False, 1_700_000_001_500)
    assert segments.name_segment(segment, 0).path == "live/cam-1700000001500.ts"
    named = segments.name_segment(segment, 2000)
    assert named.path == "live/cam-1700000000000.ts"
    segments.append(named, 2, 1.0)
    # A second one before the next multiple needs a name of its own.
    after = replace(segment, begun_ms=1_700_000_001_900)
    assert segments.name_segment(after, 2000).path == "live/cam-1700000001900.ts"
