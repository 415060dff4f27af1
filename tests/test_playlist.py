"""Playlists, read by a reader that forgives nothing, at every step of a stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model import m3u8

from fastflv import limits
from fastflv.containers.playlist import (
    QUERY,
    Playlist,
    PlaylistEntry,
    Rendition,
    bit_rates,
    date_of,
    expected_ms,
    master,
    read_playlist,
    target_of,
)

STEPS = st.lists(
    st.tuples(st.integers(100, 2000), st.booleans(), st.sampled_from(["", "i1.mp4", "i2.mp4"])), max_size=40
)


def plain(playlist: Playlist) -> str:
    return playlist.text().replace(QUERY, "")


@given(STEPS, st.integers(0, 20_000), st.integers(0, 2**40))
def test_every_step_of_a_stream_keeps_the_rules(steps, window_ms, sequence):
    playlist = Playlist(window_ms, 2, sequence=sequence)
    before = None
    seen = []
    for number, (duration_ms, broken, map_uri) in enumerate(steps):
        seen.append((f"s{number}.ts", duration_ms, map_uri))
        playlist.append(PlaylistEntry(*seen[-1][:2], broken, map_uri))
        now = m3u8.read_media(plain(playlist))
        assert [(s.uri, round(s.duration * 1000)) for s in now.segments] == [row[:2] for row in seen][
            -len(now.segments) :
        ]
        assert now.segments[-1].number == sequence + number
        # Discontinuities count from the first segment that ever was.
        assert now.segments[-1].discontinuities == sum(step[1] for step in steps[: number + 1])
        if before is not None:
            m3u8.check_step(before, now)
            m3u8.check_removal(before, now)
        before = now
    if before is not None:
        playlist.ended = True
        now = m3u8.read_media(plain(playlist))
        assert now.ended
        m3u8.check_step(before._replace(ended=True), now)


@given(STEPS.filter(bool), st.integers(1000, 20_000))
def test_the_window_is_filled_and_not_overfilled(steps, window_ms):
    playlist = Playlist(window_ms, 2)
    for duration_ms, broken, map_uri in steps:
        playlist.append(PlaylistEntry("s.ts", duration_ms, broken, map_uri))
    whole = sum(step[0] for step in steps)
    keep = max(window_ms, 3000 * playlist.target)
    assert playlist.length_ms >= min(whole, keep)
    assert playlist.length_ms - playlist.entries[0].duration_ms < keep
    assert playlist.next == len(steps)


@given(STEPS, st.integers(0, 2**40), st.integers(0, 9), st.integers(1, 10))
def test_a_playlist_read_back_is_the_same(steps, sequence, discontinuities, target):
    playlist = Playlist(10_000, target, sequence=sequence, discontinuities=discontinuities)
    for number, (duration_ms, broken, map_uri) in enumerate(steps):
        playlist.append(PlaylistEntry(f"s{number}.ts", duration_ms, broken, map_uri))
    again = read_playlist(plain(playlist), 10_000)
    assert again is not None
    assert plain(again) == plain(playlist)
    assert again.length_ms == playlist.length_ms
    assert again.next == playlist.next


@given(st.text())
def test_any_text_is_read_or_refused(text):
    for head in ("", "#EXTM3U\n", "#EXTM3U\n#EXTINF:"):
        playlist = read_playlist(head + text, 1000)
        assert playlist is None or playlist.next >= playlist.sequence


def test_the_query_stands_behind_every_uri():
    playlist = Playlist(10_000, 2)
    playlist.append(PlaylistEntry("a.m4s", 2000, map_uri="i.mp4"))
    text = playlist.text().replace(QUERY, "?hls_ctx=abc")
    media = m3u8.read_media(text)
    assert (media.segments[0].uri, media.segments[0].map_uri) == ("a.m4s?hls_ctx=abc", "i.mp4?hls_ctx=abc")
    assert media.version == 7


def test_a_map_is_told_again_only_where_it_changes():
    playlist = Playlist(100_000, 2)
    for map_uri in ("a.mp4", "a.mp4", "b.mp4"):
        playlist.append(PlaylistEntry("s.m4s", 2000, map_uri=map_uri))
    assert plain(playlist).count("#EXT-X-MAP") == 2


@pytest.mark.parametrize(
    ("least", "most", "gops", "expected"),
    [
        (2000, 4200, (2000, 2000), 2000),
        (2000, 4200, (1000, 1000), 2000),
        (2000, 4200, (3000, 3000), 3000),
        (10_000, 21_000, (4000, 4000), 12_000),
        (2000, 4200, (10_000, 10_000), 4200),
        (2000, 4200, (2002, 2002), 2002),
        (2000, 4200, (1999, 2000), 2000),
        (10_000, 21_000, (400, 3000), 13_000),
        (2000, 4200, (0, 0), 4200),
    ],
    ids=str,
)
def test_the_target_follows_from_the_keyframes(least, most, gops, expected):
    assert expected_ms(least, most, gops) == expected


def test_a_segment_a_trifle_too_long_needs_no_longer_target():
    assert target_of(2000 + limits.HLS_TARGET_SLACK_MS) == 2
    assert target_of(2001 + limits.HLS_TARGET_SLACK_MS) == 3
    assert target_of(1) == 1


@given(st.integers(0, 4_000_000_000_000))
def test_a_date_is_that_of_the_clock(wall_ms):
    playlist = Playlist(10_000, 2)
    playlist.append(PlaylistEntry("a.ts", 2000, date=date_of(wall_ms)))
    media = m3u8.read_media(plain(playlist))
    assert round(media.segments[0].date * 1000) == wall_ms
    again = read_playlist(plain(playlist), 10_000)
    assert again is not None and plain(again) == plain(playlist)


def test_a_master_playlist_names_one_rendition():
    text = master(
        "/live/a.m3u8?hls_ctx=x", Rendition(900, 700, ("avc1.64001f", "mp4a.40.2"), 1280, 720, 29.97)
    )
    found = m3u8.read_master(text)
    assert found.uri == "/live/a.m3u8?hls_ctx=x"
    assert found.attributes == {
        "BANDWIDTH": "900",
        "AVERAGE-BANDWIDTH": "700",
        "CODECS": "avc1.64001f,mp4a.40.2",
        "RESOLUTION": "1280x720",
        "FRAME-RATE": "29.970",
    }
    assert m3u8.read_master(master("a", Rendition(0, 0))).attributes == {"BANDWIDTH": "1"}


def test_bit_rates_are_the_highest_and_the_mean():
    assert bit_rates([(1000, 1000), (3000, 1000), (0, 500)]) == (24_000, 16_000)
    assert bit_rates([]) == (0, 0)
