"""Templates of paths: matching, filling, and whether two of them overlap."""

from __future__ import annotations

import time
from itertools import product

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from model import template as model

from fastflv.config.template import PathTemplate, time_values
from fastflv.config.variable import Variable

NAMES = [f"[{each.value}]" for each in Variable]
PIECES = st.lists(
    st.one_of(
        st.sampled_from(["[app]", "[stream]", "[seq]", "[2006]"]), st.text("/-a1", min_size=1, max_size=2)
    ),
    min_size=1,
    max_size=6,
)
PATHS = st.text("/-a1é", max_size=12)


def parsed(text, vhost="v.example"):
    return PathTemplate.parse(text, vhost)


def once(pieces):
    return all(pieces.count(piece) == 1 for piece in pieces if piece in NAMES)


# Matching

CASES = {
    "text alone": ("/a/b.flv", "/a/b.flv", {}),
    "other text": ("/a/b.flv", "/a/c.flv", None),
    "nothing": ("", "", {}),
    "nothing and a path": ("", "/", None),
    "the vhost is text": ("/[vhost]/[stream]", "/v.example/x", {"stream": "x"}),
    "another vhost": ("/[vhost]/[stream]", "/v-example/x", None),
    "an app of several parts": ("/[app]/[stream].ts", "/a/b/c.ts", {"app": "a/b", "stream": "c"}),
    "an app with an empty part": ("/[app]/[stream].ts", "/a//c.ts", None),
    "an app that begins with a slash": ("/[app]/[stream]", "//a/c", None),
    "an app alone that ends with a slash": ("/[app]", "/a/", None),
    "an app between texts that ends with a slash": ("/[app]-[stream]", "/a/-b", None),
    "a number": ("/[stream]-[seq].ts", "/a-1-2.ts", {"stream": "a-1", "seq": "2"}),
    "no number": ("/[stream]-[seq].ts", "/a-x.ts", None),
    "digits that are not ASCII": ("/[stream]-[seq].ts", "/a-\u0661.ts", None),
    "the leftmost takes the most": ("[seq][01]", "123", {"seq": "12", "01": "3"}),
    "side by side": ("/[app][stream]", "/a/bc", {"app": "a/b", "stream": "c"}),
    "side by side, not ASCII": ("/[app][stream]", "/é漢", {"app": "é", "stream": "漢"}),
    "unknown brackets are text": ("/[x]/[stream]", "/[x]/a", {"stream": "a"}),
    "a name twice": (
        "/[app]/[stream]/[stream]-[seq].ts",
        "/l/a-1/a-1-7.ts",
        {"app": "l", "stream": "a-1", "seq": "7"},
    ),
    "a name twice, differently": ("/[app]/[stream]/[stream].m3u8", "/l/a/b.m3u8", None),
    "a name twice, and longer": ("/[app]/[stream]/[stream].m3u8", "/l/a/ab.m3u8", None),
    "an absolute file": (
        "/data/[app]/[stream].[timestamp].flv",
        "/data/l/s.99.flv",
        {"app": "l", "stream": "s", "timestamp": "99"},
    ),
    "a relative file": (
        "./dvr/[stream]/[2006]-[01].flv",
        "./dvr/s/2024-05.flv",
        {"stream": "s", "2006": "2024", "01": "05"},
    ),
}


@pytest.mark.parametrize(("text", "path", "expected"), CASES.values(), ids=CASES)
def test_a_path_matches_or_not(text, path, expected):
    assert parsed(text).match(path) == expected


@given(PIECES, PATHS)
@example(["/", "[app]", "/", "[stream]"], "/a/-/a")
@example(["[stream]", "-", "[app]", "-", "[seq]"], "a--/a-1-1")
@example(["[seq]", "[app]"], "11/1")
@example(["[app]", "/a", "[stream]"], "a/aa/aa")
def test_a_match_is_the_first_of_all_splits(pieces, path):
    assume(once(pieces))
    text = "".join(pieces)
    assert parsed(text).match(path) == model.match(text, path)


@given(PIECES, PATHS)
def test_a_match_of_a_template_with_a_name_twice_is_one_of_its_splits(pieces, path):
    text = "".join(pieces)
    found = parsed(text).match(path)
    if found is not None:
        assert model.matches(text, path)
        assert parsed(text).fill(**found) == path


APPS = st.lists(st.text("a-1é", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join)


@given(PIECES, APPS, st.text("a-1é", min_size=1, max_size=4), st.integers(0, 10**9))
def test_a_filled_template_matches(pieces, app, stream, number):
    template = parsed("".join(pieces))
    assume(once(pieces))
    path = template.fill(app=app, stream=stream, seq=number, **{"2006": number})
    found = template.match(path)
    assert found is not None
    assert template.fill(**found) == path


@given(APPS, st.text("a-1é", min_size=1, max_size=4), st.integers(0, 10**9))
def test_a_name_that_is_a_folder_and_begins_the_file_leads_back_to_the_stream(app, stream, number):
    template = parsed("/[app]/[stream]/[stream]-[seq].ts")
    path = template.fill(app=app, stream=stream, seq=number)
    assert template.match(path) == {"app": app, "stream": stream, "seq": str(number)}


WORST = [
    "/" + "a/" * 8000,
    "/" + "-" * 16_000,
    "/" + "1" * 16_000,
    "/" + "-1" * 8000,
    "/" + "-" * 8000 + "/" * 8000,
]


@pytest.mark.parametrize("path", WORST, ids=["parts", "separators", "digits", "numbers", "slashes"])
@pytest.mark.parametrize(
    "text",
    [
        "/[app]-[stream]-[seq]-[duration]",
        "/[stream]-[app]-[seq]",
        "/[app]/[stream]/[stream]",
        "/[seq][01][02][15][04]x",
        "/[app]--[stream]--[999]",
    ],
)
def test_a_long_path_takes_no_long_time(text, path):
    template = parsed(text)
    template.match(path[:10])
    began = time.process_time()
    for _ in range(10):
        template.match(path)
    assert time.process_time() - began < 0.5


# Filling


def test_a_template_is_filled_with_names_and_times():
    template = parsed("/[vhost]/[app]/[stream]-[2006][01][02]T[15][04][05].[999]-[timestamp].flv")
    times = time_values(1_700_000_000.25, utc=True)
    assert (
        template.fill(app="a/b", stream="s", **times)
        == "/v.example/a/b/s-20231114T221320.250-1700000000250.flv"
    )


def test_local_time_is_the_one_of_the_machine(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert time_values(1_700_000_000.0, utc=False)["15"] == "07"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_variable_without_a_value_is_an_error_of_the_caller():
    with pytest.raises(KeyError, match="seq"):
        parsed("/[stream]-[seq]").fill(stream="a")


def test_a_template_with_an_ending_is_that_of_both_texts():
    assert parsed("/[app]/[stream]").plus(".flv") == parsed("/[app]/[stream].flv")
    assert parsed("/a").plus(".flv") == parsed("/a.flv")


def test_without_their_variables_app_and_stream_have_the_usual_names():
    assert parsed("/[app]/main.flv").stream_of("/x/main.flv") == ("x", "livestream")
    assert parsed("/[stream].flv").stream_of("/x.flv") == ("live", "x")
    assert parsed("/[stream].flv").stream_of("/x.ts") is None


# Overlaps

SHORT_PATHS = ["".join(path) for length in range(6) for path in product("/a-1x", repeat=length)]
FEW_PIECES = st.lists(
    st.sampled_from(["[app]", "[stream]", "[seq]", "/", "-", "a", "1", "a/"]), min_size=1, max_size=5
)


def matched(text, paths=SHORT_PATHS):
    return {path for path in paths if model.matches(text, path)}


@given(FEW_PIECES.map("".join), FEW_PIECES.map("".join))
def test_two_templates_overlap_as_the_paths_that_they_match(first, second):
    lie = parsed(first).overlap(parsed(second))
    one, two = matched(first), matched(second)
    if lie.path:
        assert matched(first, [lie.path]) and matched(second, [lie.path])
        assert min(map(len, one & two), default=len(lie.path)) == len(lie.path)
    else:
        assert not one & two
    # What short paths show holds; the other way round a difference may need a longer path.
    assert lie.first_only >= bool(one - two)
    assert lie.second_only >= bool(two - one)


OVERLAPS = {
    "the same": ("/[app]/[stream]", "/[app]/[stream]", "/x/x", False, False),
    "apart": ("/[app]/a", "/[app]/b", "", True, True),
    "inside": ("/flv/[stream]", "/[app]/[stream]", "/flv/x", False, True),
    "around": ("/[app]/[stream]", "/[app]/[stream]-hd", "/x/x-hd", True, False),
    "crossing": ("/[app]/[stream]-hd", "/live/[stream]", "/live/x-hd", True, True),
    "one part in several": ("/[stream]", "/[app]", "/x", False, True),
    "a digit in numbers": ("/[seq]", "/1", "/1", True, False),
    "numbers inside": ("/[app]/[stream]-[seq]", "/[app]/[stream]", "/x/x-0", False, True),
    "times are numbers": ("/[2006]-[01]", "/[seq]-[999]", "/0-0", False, False),
}


@pytest.mark.parametrize(
    ("first", "second", "path", "first_only", "second_only"), OVERLAPS.values(), ids=OVERLAPS
)
def test_two_templates_are(first, second, path, first_only, second_only):
    found = parsed(first).overlap(parsed(second))
    assert (found.path, found.first_only, found.second_only) == (path, first_only, second_only)


def test_long_templates_are_compared_in_no_long_time():
    text = "/" + "a-" * 200
    first, second = parsed(text + "[app]-a-[stream]-b"), parsed(text + "[stream]-[app]-")
    began = time.process_time()
    first.overlap(second)
    assert time.process_time() - began < 1
