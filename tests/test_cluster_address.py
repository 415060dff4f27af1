"""Where an edge fetches a stream from: origins in a file, URLs of streams there, redirects."""

from __future__ import annotations

import pytest

from fastflv.cluster.address import OriginAddress, parse_origin, redirected, upstream_param, url_of
from fastflv.stream.name import StreamName

NAME = StreamName("a.example", "live/deep", "x.y z")


@pytest.mark.parametrize(
    ("text", "scheme", "shown"),
    [
        ("a.example", "rtmp", "rtmp://a.example:1935"),
        ("a.example", "rtmps", "rtmps://a.example:443"),
        ("10.0.0.1:8080", "http", "http://10.0.0.1:8080"),
        ("[2001:db8::1]", "https", "https://[2001:db8::1]:443"),
        ("[2001:db8::1]:81", "http", "http://[2001:db8::1]:81"),
    ],
)
def test_an_origin_is_a_host_with_the_port_of_its_protocol(text, scheme, shown):
    assert str(parse_origin(text, scheme)) == shown


@pytest.mark.parametrize(
    "text", ["", "a:b", "a:0", "a:65536", "rtmp://a", "a/b", "2001:db8::1", "u@a", "a b"]
)
def test_anything_else_is_no_origin(text):
    with pytest.raises(ValueError, match="write host or host:port"):
        parse_origin(text, "rtmp")


def test_over_rtmp_parameters_stand_behind_the_name_and_the_vhost_in_tc_url():
    url = url_of(OriginAddress("rtmp", "o", 1935), NAME, "v.example", "?token=a%20b&only=audio")
    assert url.tc_url == "rtmp://o:1935/live/deep?vhost=v.example"
    assert (url.app, url.stream) == ("live/deep", "x.y z?token=a%20b")
    assert (
        url_of(OriginAddress("rtmp", "o", 1935), NAME, "__defaultVhost__", "").tc_url
        == "rtmp://o:1935/live/deep"
    )


def test_over_http_names_are_encoded_and_the_vhost_is_the_host():
    url = url_of(OriginAddress("http", "o", 80), NAME, "v.example", "?k=1")
    assert (url.target, url.host) == ("/live/deep/x.y%20z.flv?k=1", "v.example")
    assert url_of(OriginAddress("http", "o", 80), NAME, "__defaultVhost__", "").host == "o:80"
    worker = url_of(OriginAddress("http", "127.0.0.1", 80), NAME, "__defaultVhost__", "", "hush")
    assert (worker.host, worker.secret) == ("__defaultVhost__", "hush")
    assert "hush" not in f"{worker} {worker.tc_url} {worker.shown}"


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ("", ""),
        ("?start=gop", ""),
        ("?a=1&start=gop&b=%26&vhost=x", "?a=1&b=%26"),
        ("?token=x=y==", "?token=x=y=="),
        ("?flag", "?flag"),
    ],
)
def test_what_a_viewer_chooses_for_itself_is_not_passed_on(given, passed):
    assert upstream_param(given) == passed


@pytest.mark.parametrize(
    ("param", "query"),
    [
        ("?t=a%20b+c&u=%zz", "?t=a%20b+c&u=%25zz"),
        ("?t=a b", "?t=a%20b"),
        ("?t=100%&n=\u00e4\u20ac", "?t=100%25&n=%C3%A4%E2%82%AC"),
        ("?t=a/b:c@d!$'()*,=~", "?t=a/b:c@d!$'()*,=~"),
    ],
)
def test_over_http_parameters_are_a_query_and_over_rtmp_as_they_were_sent(param, query):
    assert url_of(OriginAddress("http", "o", 80), NAME, "", param).target.endswith(f".flv{query}")
    assert url_of(OriginAddress("rtmp", "o", 1935), NAME, "", param).stream == f"x.y z{param}"


def test_a_redirect_names_a_stream_or_nothing():
    http = redirected("http://b:81/live/x.flv?t=1")
    rtmp = redirected("rtmp://b/live/x?t=1")
    assert http is not None and rtmp is not None
    assert (str(http.origin), http.target) == ("http://b:81", "/live/x.flv?t=1")
    assert (rtmp.tc_url, rtmp.stream) == ("rtmp://b:1935/live", "x?t=1")
    for nothing in ("", "ftp://b/x", "rtmp://b/x", "http://b/", "http://b:99999/x.flv", "http:///x.flv"):
        assert redirected(nothing) is None
