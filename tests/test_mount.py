"""Which URL is which stream, in which container, and which of two mounts is the more specific."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from model import mount as model

from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.config.mount import CONTAINERS, Mount, parse_mounts

USUAL = "[vhost]/[app]/[stream].flv"
SHORT = "/flv/[app]/[stream][.flv]"

CASES = {
    "plain": (USUAL, DEFAULT_VHOST, "/live/a.flv", ("live", "a")),
    "app with slashes": (USUAL, DEFAULT_VHOST, "/live/room/7/a.flv", ("live/room/7", "a")),
    "dots in the stream": (USUAL, DEFAULT_VHOST, "/live/a.b.flv", ("live", "a.b")),
    "the extension twice": (USUAL, DEFAULT_VHOST, "/live/a.flv.flv", ("live", "a.flv")),
    "not ASCII": (USUAL, DEFAULT_VHOST, "/live/é.flv", ("live", "é")),
    "another vhost": (USUAL, "b.com", "/live/a.flv", ("live", "a")),
    "fixed app": ("[vhost]/tv/[stream].flv", DEFAULT_VHOST, "/tv/a.flv", ("live", "a")),
    "fixed stream": ("/[app]/main.flv", DEFAULT_VHOST, "/x/main.flv", ("x", "livestream")),
    "nothing but text": ("/main.flv", DEFAULT_VHOST, "/main.flv", ("live", "livestream")),
    "prefix": ("[vhost]/cdn/[app]/[stream].flv", DEFAULT_VHOST, "/cdn/live/a.flv", ("live", "a")),
    "suffix in the part": ("/[app]/[stream]_hd.flv", DEFAULT_VHOST, "/live/a_hd.flv", ("live", "a")),
    "vhost by name": ("b.com/[app]/[stream].flv", "b.com", "/live/a.flv", ("live", "a")),
    "vhost in a part of the path": ("/v/[vhost]/[stream].flv", "b.com", "/v/b.com/a.flv", ("live", "a")),
    "a part that only begins like the vhost": (
        "b.com.x/[stream].flv",
        "b.com",
        "/b.com.x/a.flv",
        ("live", "a"),
    ),
    "a file below the stream": ("/[app]/[stream]/index.ts", "b.com", "/x/a/index.ts", ("x", "a")),
    "the stream first": ("/[stream]/of/[app].flv", "b.com", "/a/of/x/y.flv", ("x/y", "a")),
    "the stream first, one part": ("/[stream]@[app].flv", "b.com", "/a@b@x/y.flv", ("x/y", "a@b")),
    "a query": ("/[app]/[stream].flv?only=audio", DEFAULT_VHOST, "/live/a.flv", ("live", "a")),
    "an optional ending, left out": (SHORT, DEFAULT_VHOST, "/flv/live/name", ("live", "name")),
    "an optional ending, written": (SHORT, DEFAULT_VHOST, "/flv/live/name.flv", ("live", "name")),
    "an optional ending, written twice": (SHORT, DEFAULT_VHOST, "/flv/live/a.flv.flv", ("live", "a.flv")),
    "an optional ending and another dot": (SHORT, DEFAULT_VHOST, "/flv/live/1080.5", ("live", "1080.5")),
    "an optional ending and an app with slashes": (SHORT, DEFAULT_VHOST, "/flv/a/b/name", ("a/b", "name")),
}

MISSES = {
    "no extension": "/live/a",
    "another extension": "/live/a.ts",
    "no app": "/a.flv",
    "an empty app": "//a.flv",
    "an empty part in the app": "/live//x/a.flv",
    "an empty part at the app's end": "/live//a.flv",
    "no stream": "/live/.flv",
    "something behind": "/live/a.flv/b",
    "newline": "/live/a.flv\n",
    "root": "/",
    "empty": "",
}


@pytest.mark.parametrize(("pattern", "vhost", "path", "expected"), CASES.values(), ids=CASES)
def test_a_path_names_a_stream(pattern, vhost, path, expected):
    assert Mount.parse(pattern, vhost).match(path) == expected


@pytest.mark.parametrize("path", MISSES.values(), ids=MISSES)
def test_other_paths_name_none(path):
    assert Mount.parse(USUAL, DEFAULT_VHOST).match(path) is None


@pytest.mark.parametrize("ending", [*CONTAINERS, ".m3u8", ".m4s"])
def test_a_path_with_the_ending_of_something_else_is_not_taken_by_an_optional_one(ending):
    if ending != ".flv":
        assert Mount.parse(SHORT, DEFAULT_VHOST).match(f"/flv/live/name{ending}") is None
    assert Mount.parse(SHORT, DEFAULT_VHOST).match(f"/flv/live/{ending}") is None


def test_a_path_is_not_shorter_than_the_text_of_its_mount():
    assert Mount.parse("/x.flv.flv", DEFAULT_VHOST).match("/x.flv") is None
    assert Mount.parse("/aa[stream]aa.flv", DEFAULT_VHOST).match("/aaa.flv") is None


def test_a_pattern_is_no_regular_expression():
    mount = Mount.parse("/a.b+c/[stream].flv", DEFAULT_VHOST)
    assert mount.match("/a.b+c/x.flv") == ("live", "x")
    assert mount.match("/aXbbc/x.flv") is None


@pytest.mark.parametrize(
    ("pattern", "container"),
    [("/a.flv", "flv"), ("/a.ts", "ts"), ("/a.aac", "aac"), ("/a.mp3", "mp3"), ("/x/a[.ts]", "ts")],
)
def test_the_ending_chooses_the_container(pattern, container):
    assert Mount.parse(pattern, DEFAULT_VHOST).container == container


def test_a_query_gives_arguments_that_a_request_may_override():
    mount = Mount.parse("/[app]/[stream].flv?hevc=legacy&only=video", DEFAULT_VHOST)
    assert mount.args == {"hevc": "legacy", "only": "video"}
    assert mount.args | {"only": "audio", "token": "x"} == {"hevc": "legacy", "only": "audio", "token": "x"}
    assert Mount.parse(USUAL, DEFAULT_VHOST).args == {}


REFUSED = {
    "an ending without a container": ("/[app]/[stream].mp4", "end it with one of .flv, .ts, .aac, .mp3"),
    "no ending": ("/[app]/[stream]", "end it with one of"),
    "an optional ending without a container": ("/x/[app]/[stream][.mp4]", "end it with one of"),
    "an optional ending for every path": ("/[app]/[stream][.flv]", "below a fixed part only"),
    "an optional ending for every path of a prefix": ("/x[app]/[stream][.flv]", "below a fixed part only"),
    "an unknown variable": ("/[app]/[steam].flv", "[steam] means nothing here"),
    "a variable twice": ("/[app]/[stream]/[stream].flv", "write [stream] once"),
    "variables without text between": ("/[app][stream].flv", "put text between"),
    "a bracket that stays open": ("/[app]/[stream.flv", "brackets are for"),
    "an unknown argument": (
        "/[stream].flv?start=key",
        "'start' is no argument of a mount; there are hevc and only",
    ),
    "an unknown value": ("/[stream].flv?only=sound", "write only=audio|video|key"),
    "no value": ("/[stream].flv?hevc", "write hevc=legacy|enhanced"),
    "an argument twice": ("/[stream].flv?only=key&only=audio", "write only once"),
    "an argument that the container has no use for": ("/[stream].aac?only=video", "no difference to aac"),
    "HEVC in a container with one way to carry it": ("/[stream].ts?hevc=legacy", "no difference to ts"),
}


@pytest.mark.parametrize(("pattern", "words"), REFUSED.values(), ids=REFUSED)
def test_a_pattern_is_refused_with_what_to_write(pattern, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        Mount.parse(pattern, DEFAULT_VHOST)


WORST = ["/" + "a/" * 8000, "/" + "-" * 16_000 + "/.flv", "/" + "-" * 8000 + "/" * 8000 + ".flv"]


@pytest.mark.parametrize("path", WORST, ids=["parts", "separators", "slashes"])
@pytest.mark.parametrize(
    "pattern", [USUAL, "/[app]-[stream].flv", "/[stream]-[app].flv", "/[app]/[stream]-.flv"]
)
def test_a_long_path_takes_no_long_time_to_miss(pattern, path):
    mount = Mount.parse(pattern, DEFAULT_VHOST)
    began = time.process_time()
    for _ in range(20):
        assert mount.match(path) is None
    assert time.process_time() - began < 0.1


def test_the_most_specific_mount_takes_a_path_in_whatever_order_they_stand():
    texts = [
        "[vhost]/[app]/[stream].flv",
        "/flv/[app]/[stream][.flv]",
        "[vhost]/[app]/[stream]-audio.flv?only=audio",
        "/flv/[stream].flv",
        "[vhost]/[app]/[stream].ts",
    ]
    for mounts in (parse_mounts(texts, DEFAULT_VHOST), parse_mounts(texts[::-1], DEFAULT_VHOST)):

        def first(path, mounts=mounts):
            return next((mount.text, *mount.match(path)) for mount in mounts if mount.match(path))

        assert first("/live/a.flv") == (texts[0], "live", "a")
        assert first("/flv/live/a-audio.flv") == (texts[1], "live", "a-audio")
        assert first("/live/a-audio.flv") == (texts[2], "live", "a")
        assert first("/flv/live/a.flv") == first("/flv/live/a") == (texts[1], "live", "a")
        assert first("/flv/a.flv") == (texts[3], "live", "a")
        assert first("/flv/live/a.ts") == (texts[4], "flv/live", "a")


@given(st.data())
def test_the_order_of_mounts_that_match_alike_is_the_one_written(data):
    texts = data.draw(
        st.permutations(["/[app]/a[stream].flv", "/[app]/b[stream].flv", "/[app]/[stream]c.flv"])
    )
    assert [mount.text for mount in parse_mounts(texts, DEFAULT_VHOST)] == list(texts)


# Against the model

TEXT = st.text("a-/", max_size=3)


@st.composite
def patterns(draw):
    """A pattern that begins with a slash and may end in an optional ending."""
    variables = draw(
        st.sampled_from([(), ("[app]",), ("[stream]",), ("[app]", "[stream]"), ("[stream]", "[app]")])
    )
    text = "/" + draw(TEXT).lstrip("/")
    for at, variable in enumerate(variables):
        text += variable + (draw(TEXT.filter(bool)) if at + 1 < len(variables) else draw(TEXT))
    return text + draw(
        st.sampled_from([".flv", "[.flv]"] if text[1:].partition("[")[0].count("/") else [".flv"])
    )


PATHS = st.builds("/{}{}".format, st.text("a-/.", max_size=12), st.sampled_from(["", ".flv", ".ts", "x"]))


@given(patterns(), PATHS)
@example("/[app]-[stream].flv", "/a--.flv")
@example("/[stream]-[app].flv", "/--a.flv")
@example("/[stream]/[app].flv", "/a/b/a.flv")
@example("/[stream]-/a[app].flv", "/--/aa.flv")
@example("/a/[stream][.flv]", "/a/.flv")
@example("/a/[stream]-[.flv]", "/a/a-.flv")
def test_a_match_is_what_the_regular_expression_says(pattern, path):
    found = Mount.parse(pattern, DEFAULT_VHOST).match(path)
    assert found == model.match(pattern, path)


@given(
    patterns(), st.text("a-/", min_size=1, max_size=5), st.text("a-", min_size=1, max_size=3), st.booleans()
)
def test_a_path_made_from_a_pattern_is_matched_and_shown(pattern, app, stream, short):
    assume("//" not in f"/{app}/")
    path = (
        pattern.replace("[.flv]", "" if short else ".flv").replace("[app]", app).replace("[stream]", stream)
    )
    found = Mount.parse(pattern, DEFAULT_VHOST).match(path)
    assert found == model.match(pattern, path)
    shown = Mount.parse(pattern, DEFAULT_VHOST).example(app, stream)
    assert Mount.parse(pattern, DEFAULT_VHOST).match(shown) == found


@given(patterns(), patterns())
@example("/[stream].flv", "/[app].flv")
@example("/a[stream].flv", "/[app].flv")
@example("/[app]/[stream]-a.flv", "/[app]/[stream].flv")
def test_of_two_mounts_the_one_inside_the_other_is_the_more_specific(first, second):
    one, two = Mount.parse(first, DEFAULT_VHOST), Mount.parse(second, DEFAULT_VHOST)
    lie = one.template.overlap(two.template)
    if lie.path and lie.second_only and not lie.first_only:
        assert one.rank > two.rank
