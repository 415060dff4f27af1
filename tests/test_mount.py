"""Which URL is which stream."""

from __future__ import annotations

import pytest

from fastflv.config.vhost import DEFAULT_VHOST
from fastflv.delivery.mount import compile_mount, container_of

USUAL = "[vhost]/[app]/[stream].flv"

CASES = {
    "plain": (USUAL, DEFAULT_VHOST, "/live/a.flv", ("live", "a")),
    "app with slashes": (USUAL, DEFAULT_VHOST, "/live/room/7/a.flv", ("live/room/7", "a")),
    "dots in the stream": (USUAL, DEFAULT_VHOST, "/live/a.b.flv", ("live", "a.b")),
    "the extension twice": (USUAL, DEFAULT_VHOST, "/live/a.flv.flv", ("live", "a.flv")),
    "not ASCII": (USUAL, DEFAULT_VHOST, "/live/é.flv", ("live", "é")),
    "another vhost": (USUAL, "b.com", "/live/a.flv", ("live", "a")),
    "fixed app": ("[vhost]/tv/[stream].flv", DEFAULT_VHOST, "/tv/a.flv", ("live", "a")),
    "fixed stream": ("/[app]/main.flv", DEFAULT_VHOST, "/x/main.flv", ("x", "livestream")),
    "prefix": ("[vhost]/cdn/[app]/[stream].flv", DEFAULT_VHOST, "/cdn/live/a.flv", ("live", "a")),
    "suffix in the part": ("/[app]/[stream]_hd.flv", DEFAULT_VHOST, "/live/a_hd.flv", ("live", "a")),
    "vhost by name": ("b.com/[app]/[stream].flv", "b.com", "/live/a.flv", ("live", "a")),
}

MISSES = {
    "no extension": "/live/a",
    "another extension": "/live/a.ts",
    "no app": "/a.flv",
    "no stream": "/live/.flv",
    "something behind": "/live/a.flv/b",
    "newline": "/live/a.flv\n",
    "root": "/",
    "empty": "",
}


@pytest.mark.parametrize(("pattern", "vhost", "path", "expected"), CASES.values(), ids=CASES)
def test_a_path_names_a_stream(pattern, vhost, path, expected):
    assert compile_mount(pattern, vhost).match(path) == (vhost, *expected)


@pytest.mark.parametrize("path", MISSES.values(), ids=MISSES)
def test_other_paths_name_none(path):
    assert compile_mount(USUAL, DEFAULT_VHOST).match(path) is None


def test_a_pattern_is_no_regular_expression():
    mount = compile_mount("/a.b+c/[stream].flv", DEFAULT_VHOST)
    assert mount.match("/a.b+c/x.flv").stream == "x"
    assert mount.match("/aXbbc/x.flv") is None


@pytest.mark.parametrize(
    ("pattern", "container"), [("a.flv", "flv"), ("a.ts", "ts"), ("a.aac", "aac"), ("a.mp3", "mp3")]
)
def test_the_extension_chooses_the_container(pattern, container):
    assert container_of(pattern) == container


def test_an_extension_without_a_container_is_refused():
    assert container_of("a.mp4") is None
    with pytest.raises(ValueError, match="must end in"):
        compile_mount("/[app]/[stream].mp4", DEFAULT_VHOST)


def test_a_long_path_takes_no_long_time_to_miss():
    assert compile_mount(USUAL, DEFAULT_VHOST).match("/" + "a/" * 8000) is None
