"""Names of HLS files: back and forth, never outside of the root."""

from __future__ import annotations

import time
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv.servers.hls.names import HlsNames, is_inside
from fastflv.stream.name import StreamName

NAME = StreamName("v", "live", "cam")
PART = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=8)
APP = st.lists(PART, min_size=1, max_size=3).map("/".join)
NAMES = st.builds(StreamName, st.just("v"), APP, PART)


@given(NAMES, st.integers(0, 2**40))
def test_a_playlist_and_its_segments_lead_back_to_the_stream(name, number):
    names = HlsNames("v")
    playlist = names.playlist_path(name)
    if not playlist:
        assert any(part in (".", "..") for part in f"{name.app}/{name.stream}".split("/"))
        return
    assert is_inside(playlist)
    assert names.stream_of("/" + playlist) == name
    for path in (
        names.segment_path(name, number, 2000, 0.0, mp4=False),
        names.segment_path(name, number, 2000, 0.0, mp4=True),
    ):
        assert names.segment_of("/" + path) == name
        assert names.path_of(names.uri(path, playlist), playlist) == path
    init = names.init_path(name, number, 0.0)
    assert names.path_of(names.uri(init, playlist), playlist) == init


@given(NAMES)
def test_no_name_leaves_its_line_in_a_playlist(name):
    names = HlsNames("v")
    uri = names.uri(names.segment_path(name, 7, 0, 0.0, mp4=False), f"{name.app}/x.m3u8")
    assert uri.isascii() and uri.isprintable() and not set(' "#?:\\<>^`{|}') & set(uri)
    assert unquote(uri) == f"{name.stream}-7.ts"


@given(st.text(max_size=60))
def test_any_path_is_a_stream_or_none(path):
    names = HlsNames("v")
    for found in (names.stream_of("/" + path), names.segment_of("/" + path)):
        assert found is None or (found.stream and "/" not in found.stream)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/live/cam.m3u8", NAME),
        ("/a/b/cam.m3u8", NAME._replace(app="a/b")),
        ("/cam.m3u8", None),
        ("/live/.m3u8", None),
        ("//cam.m3u8", None),
        ("/live//cam.m3u8", None),
        ("/live/cam.m3u8/", None),
        ("/live/cam.ts", None),
    ],
)
def test_which_stream_a_url_means(path, name):
    assert HlsNames("v").stream_of(path) == name


def test_patterns_may_name_the_vhost_and_leave_the_app_out():
    names = HlsNames("v.example", "hls/[vhost]/[stream]/index.m3u8", "hls/[vhost]/[stream]/[seq].ts")
    name = StreamName("v.example", "live", "cam")
    assert names.playlist_path(name) == "hls/v.example/cam/index.m3u8"
    assert names.stream_of("/hls/v.example/cam/index.m3u8") == name
    assert names.uri(names.segment_path(name, 3, 0, 0.0, mp4=False), names.playlist_path(name)) == "3.ts"
    # Another app would have the same files.
    assert names.playlist_path(name._replace(app="other")) == ""


@pytest.mark.parametrize("name", ["..", ".", "a/../b", "../a", "a/..", "\0", "a\0b"])
def test_a_name_that_leaves_the_root_has_no_files(name):
    assert HlsNames("v").playlist_path(StreamName("v", name, "cam")) == ""
    if "/" not in name:
        names = HlsNames("v", "[app]/[stream]/index.m3u8")
        assert names.playlist_path(StreamName("v", "live", name)) == ""


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", "cam-1.ts"),
        ("http://cdn.example", "http://cdn.example/live/cam-1.ts"),
        ("http://cdn.example/x/", "http://cdn.example/x/cam-1.ts"),
    ],
)
def test_a_prefix_stands_before_uris_as_in_srs(prefix, expected):
    names = HlsNames("v", prefix=prefix)
    assert names.uri("live/cam-1.ts", "live/cam.m3u8") == expected
    assert names.path_of(expected, "live/cam.m3u8") == "live/cam-1.ts"
    assert names.path_of(f"{prefix}/" + quote("../../../../x"), "live/cam.m3u8") == ""


def test_variables_of_a_segment():
    names = HlsNames(
        "v", segment="[app]/[stream]/[2006]-[01]-[02]/[15].[04].[05].[999]-[duration]-[seq].ts", utc=True
    )
    begun = 1_700_000_000.25
    assert time.gmtime(begun)[:6] == (2023, 11, 14, 22, 13, 20)
    path = names.segment_path(NAME, 12, 2040, begun, mp4=False)
    assert path == "live/cam/2023-11-14/22.13.20.250-2040-12.ts"
    assert names.segment_of("/" + path) == NAME
    stamped = HlsNames("v", segment="[app]/[stream]-[timestamp].ts")
    assert stamped.segment_path(NAME, 1, 0, begun, mp4=False) == "live/cam-1700000000250.ts"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("[app]/[stream].ts", "live/cam-5.ts"), ("[app]/[stream]", "live/cam-5"), ("/a.b/x", "a.b/x-5")],
)
def test_a_pattern_without_a_number_gets_one(pattern, expected):
    assert HlsNames("v", segment=pattern).segment_path(NAME, 5, 0, 0.0, mp4=False) == expected


def test_a_path_that_matches_slowly_is_not_slow():
    names = HlsNames("v", segment="[app]/[stream]-[seq]-[duration].ts")
    began = time.process_time()
    for path in (
        "/" + "a/" * 8000,
        "/a" + "-1" * 8000,
        "/a/" + "-" * 16_000 + ".tx",
        "/a/" + "1" * 16_000 + ".ts",
    ):
        assert names.segment_of(path) is None
        assert names.stream_of(path) is None
    assert time.process_time() - began < 1
