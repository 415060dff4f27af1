"""Text of peers, shown: nothing that a terminal obeys, nothing that proves who somebody is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv.config.masking import masked
from fastflv.net.peertext import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 直播 é", "plain text, 直播 é"),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x9b31m", r"\x9b31m"),
        ("abc\u202ecba\u2028", r"abc\u202ecba\u2028"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_a_terminal_obeys_is_written_as_an_escape(text, shown):
    assert printable(text) == shown


@given(st.text())
def test_shown_text_is_printable_whatever_it_was(text):
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)


URLS = {
    "rtmp://h/live/x/eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln": "rtmp://h/live/x/***",
    "rtmp://h/live": "rtmp://h/live",
    "rtmp://user:pass@h:1935/live": "rtmp://***@h:1935/live",
    "rtmp://token@[2001:db8::1]/live?k=v": "rtmp://***@[2001:db8::1]/live?k=***",
    "rtmp://h/live?vhost=v&token=secret": "rtmp://h/live?vhost=v&token=***",
    "rtmp://h/live?token=secret/name": "rtmp://h/live?token=***",
    "rtmp://h/live#sign=a=b;domain=d": "rtmp://h/live#sign=***;domain=d",
    "rtmp://h/live?a=1?b=2": "rtmp://h/live?a=***?b=***",
    "rtmp://h/live?secret": "rtmp://h/live?***",
    "rtmp://h/live?a=&b": "rtmp://h/live?a=&***",
    "https://h/page?session=1#access_token=2": "https://h/page?session=***#access_token=***",
    "http://h/live/a.flv?only=audio&start=gop&key=k": "http://h/live/a.flv?only=audio&start=gop&key=***",
    "rtmp://h/live/a@b": "rtmp://h/live/a@b",
    "rtmp://h:1935/live/a@b": "rtmp://h:1935/live/a@b",
    "rtmp://[2001:db8::1]:1935/live/a@b": "rtmp://[2001:db8::1]:1935/live/a@b",
    "rtmp://[vhost]/[app]/a@b": "rtmp://[vhost]/[app]/a@b",
    "rtmp://h/live/#a@b": "rtmp://h/live/#***",
    "http://ann:pa/ss@h/x": "http://***@h/x",
    "http://ann:p/a/s@s@h/x": "http://***@h/x",
    "http://ann:pa?ss@h/x?k=v": "http://***@h/x?k=***",
    "http://ann:12#34@h/x": "http://***@h/x",
    "http://pa#ss@h/x": "http://***@h/x",
    "http://ann:p@a:b/c@h/x": "http://***@h/x",
    "/live/a?k=v": "/live/a?k=***",
    "": "",
}


@pytest.mark.parametrize("url", URLS)
def test_a_shown_url_has_no_user_and_no_values_that_prove_something(url):
    assert masked(url) == URLS[url]


WORDS = st.text("abc/:.-_%1", min_size=1, max_size=8)


@given(WORDS, st.lists(st.tuples(WORDS, st.sampled_from("&;?#")), min_size=1))
def test_no_value_of_any_query_is_shown(path, pairs):
    url = f"rtmp://u:SECRET@h/{path}?" + "".join(f"{name}=SECRET{end}" for name, end in pairs)
    assert "SECRET" not in masked(url)
