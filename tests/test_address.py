"""tcUrl and stream name in all the forms that encoders write."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv import limits
from fastflv.errors import CommandError
from fastflv.net.peer import Peer
from fastflv.protocols.http.h1 import H1
from fastflv.protocols.rtmp import address

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln"
"A JSON Web Token, as far as its form goes."

CASES = {
    # tcUrl, stream: vhost, app, stream, param
    "plain": ("rtmp://h/live", "room", "h", "live", "room", ""),
    "port": ("rtmp://h:1936/live", "room", "h", "live", "room", ""),
    "slash behind the app": ("rtmp://h/live/", "room", "h", "live", "room", ""),
    "slash before the stream": ("rtmp://h/live", "/room", "h", "live", "room", ""),
    "two slashes": ("rtmp://h//live", "room", "h", "live", "room", ""),
    "nested app": ("rtmp://h/a/b", "room", "h", "a/b", "room", ""),
    "slash in the stream": ("rtmp://h/a", "b/room", "h", "a/b", "room", ""),
    "token in the stream": ("rtmp://h/live", "room?token=a/b=c", "h", "live", "room", "?token=a/b=c"),
    "token behind the stream": ("rtmp://h/live", f"room/{TOKEN}", "h", "live", "room", f"?token={TOKEN}"),
    "token for the stream": ("rtmp://h/live/room", TOKEN, "h", "live", "room", f"?token={TOKEN}"),
    "token behind the app": (f"rtmp://h/live/{TOKEN}", "room", "h", "live", "room", f"?token={TOKEN}"),
    "token and a query": (
        "rtmp://h/live",
        f"room/{TOKEN}?only=audio",
        "h",
        "live",
        "room",
        f"?only=audio&token={TOKEN}",
    ),
    "vhost in the app": ("rtmp://h/live?vhost=v", "room", "v", "live", "room", "?vhost=v"),
    "domain in the app": ("rtmp://h/live?domain=v", "room", "v", "live", "room", "?domain=v"),
    "vhost before domain": (
        "rtmp://h/live?domain=d&vhost=v",
        "room",
        "v",
        "live",
        "room",
        "?domain=d&vhost=v",
    ),
    "hash for a query": ("rtmp://h/live#vhost=v", "room", "v", "live", "room", "?vhost=v"),
    "dotted vhost": ("rtmp://h/live...vhost...v", "room", "v", "live", "room", "?vhost=v"),
    "vhost in the stream": ("rtmp://h/live", "room?vhost=v", "v", "live", "room", "?vhost=v"),
    "stream's vhost before the app's": (
        *("rtmp://h/live?vhost=a", "room?vhost=s"),
        *("s", "live", "room", "?vhost=s&vhost=a"),
    ),
    "both queries": ("rtmp://h/live?k=v", "room?token=t", "h", "live", "room", "?token=t&k=v"),
    "instance": ("rtmp://h/live/_definst_", "room", "h", "live", "room", ""),
    "instance behind the query": ("rtmp://h/live?vhost=v/_definst_", "room", "v", "live", "room", "?vhost=v"),
    "other instance": ("rtmp://h/live?vhost=v/inst", "room", "v", "live", "room", "?vhost=v/inst"),
    "token with a slash": ("rtmp://h/live?token=a/b", "room", "h", "live", "room", "?token=a/b"),
    "all in tcUrl": ("rtmp://h/live/room", "", "h", "live", "room", ""),
    "all in tcUrl with a query": ("rtmp://h/live?k=v/room", "", "h", "live", "room", "?k=v"),
    "all in tcUrl, query last": ("rtmp://h/live/room?k=v", "", "h", "live", "room", "?k=v"),
    "only an app": ("rtmp://h/live", "", "h", address.DEFAULT_APP, "live", ""),
    "nothing": ("", "", "", address.DEFAULT_APP, "", ""),
    "default vhost alone": ("rtmp://h/live?vhost=__defaultVhost__", "room", "h", "live", "room", ""),
    "user": ("rtmp://user:pass@h:1935/live", "room", "h", "live", "room", ""),
    "IPv6": ("rtmp://[2001:db8::1]:1936/live", "room", "2001:db8::1", "live", "room", ""),
    "no schema": ("//h/live", "room", "h", "live", "room", ""),
    "no host": ("///live", "room", "", "live", "room", ""),
    "a path alone": ("/live", "room", "", "live", "room", ""),
    "semicolons": ("rtmp://h/live?a=b;vhost=v", "room", "v", "live", "room", "?a=b;vhost=v"),
    "other scripts": ("rtmp://h/直播", "房间", "h", "直播", "房间", ""),
    "a prefix is part of the name": ("rtmp://h/live", "flv:room", "h", "live", "flv:room", ""),
}


@pytest.mark.parametrize(("tc_url", "stream", "vhost", "app", "name", "param"), CASES.values(), ids=CASES)
def test_the_forms_of_an_address(tc_url, stream, vhost, app, name, param):
    found = address.parse(tc_url, stream)
    assert (found.vhost, found.app, found.stream, found.param) == (vhost, app, name, param)


PORTS = {
    "rtmp://h/a": ("rtmp", 1935),
    "RTMPS://h/a": ("rtmps", 443),
    "rtmp://h:80/a": ("rtmp", 80),
    "rtmp://h:0/a": ("rtmp", 1935),
    "rtmp://h:99999/a": ("rtmp", 1935),
    "rtmp://h:x/a": ("rtmp", 1935),
    "rtmp://h:/a": ("rtmp", 1935),
    "odd://h/a": ("odd", 1935),
}


@pytest.mark.parametrize("tc_url", PORTS)
def test_schema_and_port(tc_url):
    found = address.parse(tc_url)
    assert (found.schema, found.port) == PORTS[tc_url]
    assert (found.host, found.app) == ("h", "a")


def test_at_connect_the_whole_path_is_the_app():
    found = address.parse("rtmp://h/live/room?vhost=v")
    assert (found.vhost, found.app, found.stream, found.param) == ("v", "live/room", "", "?vhost=v")


TOKEN = "token=" + "t" * 4096
APPS = {
    # tcUrl, app of connect, stream: vhost, app, stream, param
    "the same in both": ("rtmp://h/live", "live", "room", "h", "live", "room", ""),
    "app before the path of tcUrl": ("rtmp://h/other", "live", "room", "h", "live", "room", ""),
    "nested app": ("rtmp://h/other", "/a/b/", "room", "h", "a/b", "room", ""),
    "app alone": ("", "live", "room", "", "live", "room", ""),
    "an empty app is none": ("rtmp://h/live", "", "room", "h", "live", "room", ""),
    "query of the app": ("rtmp://h/live", "live?vhost=v", "room", "v", "live", "room", "?vhost=v"),
    "query of tcUrl": ("rtmp://h/other?k=v", "live", "room", "h", "live", "room", "?k=v"),
    "one query in both": ("rtmp://h/live?k=v", "live?k=v", "room", "h", "live", "room", "?k=v"),
    "another in each": ("rtmp://h/live?k=u", "live?k=a", "room?k=s", "h", "live", "room", "?k=s&k=a&k=u"),
    "dotted vhost": ("rtmp://h/live", "live...vhost...v", "room", "v", "live", "room", "?vhost=v"),
    "all in tcUrl": ("rtmp://h/live/room", "live", "", "h", "live", "room", ""),
    "all in app": ("rtmp://h/other", "live/room", "", "h", "live", "room", ""),
    "only an app": ("rtmp://h/one", "one", "", "h", address.DEFAULT_APP, "one", ""),
    "all in tcUrl behind a query": ("rtmp://h/live?k=v/room", "live", "", "h", "live", "room", "?k=v"),
    "all in app behind a query": ("rtmp://h/live", "live?k=v/room", "", "h", "live", "room", "?k=v"),
    "no app at all": ("rtmp://h", "", "one", "h", address.DEFAULT_APP, "one", ""),
    "long tokens": (
        *(f"rtmp://h/live?app_{TOKEN}", f"live?app_{TOKEN}", f"room?{TOKEN}"),
        *("h", "live", "room", f"?{TOKEN}&app_{TOKEN}"),
    ),
}


@pytest.mark.parametrize(
    ("tc_url", "app", "stream", "vhost", "app_read", "name", "param"), APPS.values(), ids=APPS
)
def test_the_app_of_connect_counts_before_the_path_of_tcurl(
    tc_url, app, stream, vhost, app_read, name, param
):
    found = address.parse(tc_url, stream, app=app)
    assert (found.vhost, found.app, found.stream, found.param) == (vhost, app_read, name, param)


ESCAPED = {
    "%E7%9B%B4/a%20b.x": ("直", "a b.x"),
    "live/100%": ("live", "100%"),
    "live/a%2520b": ("live", "a%20b"),
    "live/a%2Fb": ("live/a", "b"),
    "live/a%3Fb%23c": ("live", "a?b#c"),
    "li%76e/%72oom": ("live", "room"),
    "live/%ff": ("live", "\ufffd"),
    "live/a+b": ("live", "a+b"),
}


@pytest.mark.parametrize("path", ESCAPED)
def test_a_name_with_percent_escapes_is_the_one_that_http_reads_in_that_path(path):
    app, name = path.rsplit("/", 1)
    found = address.parse(f"rtmp://h/{app}", name)
    parser = H1(Peer("192.0.2.1", "192.0.2.1"))
    parser.feed(f"GET /{path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    assert parser.events[0].path == f"/{found.app}/{found.stream}"
    assert (found.app, found.stream) == ESCAPED[path]
    assert address.parse(f"rtmp://h/{path}", "") == found
    assert address.parse("rtmp://h/x", name, app=app) == found


LONG = "x" * (limits.NAME_CHARS_MAX + 1)
REFUSED = {
    "parent in the app": ("rtmp://h/a/../b", "room"),
    "parent in the stream": ("rtmp://h/a", "../../etc/passwd"),
    "parent as the vhost": ("rtmp://h/a?vhost=../..", "room"),
    "parent as the host": ("rtmp://../a", "room"),
    "backslash": ("rtmp://h/a", "..\\room"),
    "line end in the stream": ("rtmp://h/a", "room\r\nSet-Cookie: x"),
    "zero in the app": ("rtmp://h/a\0", "room"),
    "control character in the parameters": ("rtmp://h/a", "room?a=\x1b[2J"),
    "line end in the host": ("rtmp://h\n/a", "room"),
    "long app": ("rtmp://h/" + LONG, "room"),
    "long stream": ("rtmp://h/a", LONG),
    "long parameters": ("rtmp://h/a", "room?" + "x" * (limits.PARAM_CHARS_MAX + 1)),
    "escaped parent": ("rtmp://h/a", "%2e%2E/%2e%2e/etc/passwd"),
    "escaped line end": ("rtmp://h/a", "room%0d%0aSet-Cookie:%20x"),
    "escaped backslash in the app": ("rtmp://h/a%5cb", "room"),
    "long vhost": ("rtmp://" + LONG + "/a", "room"),
}


@pytest.mark.parametrize(("tc_url", "stream"), REFUSED.values(), ids=REFUSED)
def test_names_that_could_harm_are_refused(tc_url, stream):
    with pytest.raises(CommandError):
        address.parse(tc_url, stream)


def test_a_long_row_of_separators_is_read_in_no_time():
    began = time.process_time()
    found = address.parse("rtmp://h/a", "room" + "?#" * 250_000 + "k=v")
    assert (found.stream, found.param) == ("room", "?k=v")
    assert time.process_time() - began < 1


PIECES = st.lists(
    st.sampled_from(
        [
            "rtmp:",
            "//",
            "/",
            "?",
            "#",
            "&",
            "vhost=",
            "...vhost...",
            "/_definst_",
            ":",
            "[",
            "]",
            "@",
            "a",
            "1",
        ]
    )
    | st.text(max_size=3),
    max_size=12,
).map("".join)


@given(PIECES, PIECES | st.none(), PIECES | st.just(""))
def test_any_text_is_an_address_or_a_command_error(tc_url, stream, app):
    try:
        found = address.parse(tc_url, stream, app=app)
    except CommandError:
        return
    assert "/" not in found.stream + found.vhost
    assert ".." not in found.stream + found.vhost + found.app
    assert not (found.app + "x").startswith("/")
    assert found.param == "" or found.param[0] == "?"


@given(st.text())
def test_text_that_is_kept_has_no_control_characters(text):
    shown = address.bounded(text)
    assert len(shown) <= limits.NAME_CHARS_MAX
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)
